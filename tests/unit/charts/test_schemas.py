"""Values that are said to satisfy a schema do so to Helm as well; nothing else may be said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanbae.charts import schemas, worker

DIALECT = "http://json-schema.org/draft-07/schema#"
CHART = {"Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n"}


def holds(schema: dict[str, Any], values: Any) -> bool:
    return schemas.surely_holds(json.dumps({"$schema": DIALECT} | schema).encode(), values)


def helm_takes(schema: dict[str, Any], values: Any) -> bool:
    content = json.dumps({"$schema": DIALECT} | schema).encode()
    from helm_python.errors import HelmError

    with worker._Chart(worker.archived(CHART | {"values.schema.json": content})) as chart:
        try:
            chart.call("helm_render", json.dumps(values), '{"name": "a", "namespace": "b"}')
        except HelmError as error:
            if "schema" not in str(error):
                raise
            return False
    return True


@pytest.mark.parametrize(
    ("schema", "value", "sure"),
    [
        ({"type": "string"}, "a", True),
        ({"type": "string"}, 1, False),
        ({"type": ["string", "null"]}, None, True),
        ({"type": "integer"}, True, False),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 3}, 2, True),
        ({"type": "integer", "exclusiveMinimum": 2}, 2, False),
        ({"minLength": 2, "maxLength": 2}, "한배", True),
        ({"pattern": "^[a-z]+$"}, "abc", True),
        ({"pattern": "^[a-z]+$"}, "abc\n", False),
        ({"pattern": "^/"}, "/a", True),
        ({"pattern": "^/"}, "a/", False),
        ({"pattern": "^(sha256:[0-9a-f]{4})?$"}, "", True),
        ({"pattern": "\\w+"}, "a", False),
        ({"pattern": "^(a+)+$"}, "a", False),
        ({"pattern": "^a|b$"}, "a", False),
        ({"pattern": "^a{1,2000}$"}, "a", False),
        ({"enum": ["a", "b"]}, "a", True),
        ({"const": "a"}, "b", False),
        ({"items": {"type": "string"}}, ["a"], True),
        ({"items": [{"type": "string"}]}, ["a"], False),
        (
            {"required": ["a"], "additionalProperties": False, "properties": {"a": {}}},
            {"a": 1},
            True,
        ),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"b": 1}, False),
        ({"propertyNames": {"pattern": "^[A-Z]+$"}}, {"A": 1}, True),
        ({"anyOf": [{}]}, 1, False),
        ({"type": "strng"}, "a", False),
        ({"minLength": -1}, "a", False),
        ({"title": 5}, "a", False),
        ({"format": "email"}, "a", False),
    ],
)
def test_only_the_plain_is_decided(schema: dict[str, Any], value: Any, sure: bool) -> None:
    whole = {"properties": {"v": schema}}
    assert holds(whole, {"v": value}) == sure
    if sure:
        assert helm_takes(whole, {"v": value})


def test_definitions_and_dialects() -> None:
    schema = {
        "definitions": {"n": {"type": "integer"}},
        "properties": {"v": {"$ref": "#/definitions/n"}},
    }
    assert holds(schema, {"v": 1})
    assert not holds(schema, {"v": "a"})
    endless = {"definitions": {"n": {"items": {"$ref": "#/definitions/n"}}}}
    assert not holds(endless, {})
    assert not schemas.surely_holds(b"{}", {})
    assert not schemas.surely_holds(b"[", {})


_SCALARS = st.sampled_from(["a", "A", "", "/", "ab", 0, 1, 2, -1, 1.5, True, False, None])
_VALUES = st.recursive(
    _SCALARS,
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.sampled_from("abA"), part),
    max_leaves=6,
)
_KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["object", "array", "string", "integer", "number", ["null", "string"]]
        ),
        "minLength": st.integers(0, 2),
        "maximum": st.integers(-1, 2),
        "exclusiveMinimum": st.integers(-1, 1),
        "pattern": st.sampled_from(["^[a-z]*$", "^/", "^A?$", "^.$"]),
        "enum": st.just(["a", "A"]),
        "required": st.just(["a"]),
    },
)
_SCHEMAS = st.recursive(
    _KEYWORDS,
    lambda part: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("abA"), part, max_size=2),
            "additionalProperties": part | st.booleans(),
            "propertyNames": part,
            "items": part,
        },
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=150)
@given(_SCHEMAS, _VALUES)
def test_whatever_is_said_helm_says_too(schema: dict[str, Any], value: Any) -> None:
    whole = {"properties": {"v": schema}}
    if value is not None and holds(whole, {"v": value}):
        assert helm_takes(whole, {"v": value})
