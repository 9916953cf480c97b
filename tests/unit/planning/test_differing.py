"""Fields that differ, as they are shown: paths, lists whose entries have names, and nothing secret."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.planning import differing
from hanbae.results import plans

CANARY = "c4n4ry-hunter2"
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "key", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["kind", "metadata", "spec", "data"]), VALUES)


def fields(old: Any, new: Any, kind: str = "Deployment") -> list[tuple[str, Any, Any]]:
    differences = differing.fields({"kind": kind, "spec": old}, {"kind": kind, "spec": new})
    return [(field.path, field.old, field.new) for field in differences]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("spec.a", "1", "true")]),
        ({"a": [1]}, {"a": [True]}, [("spec.a", "[1]", "[true]")]),
        ({"a": "1"}, {"a": 1}, [("spec.a", "1", "1")]),
        ({}, {"a": None}, [("spec.a", None, "null")]),
        ({"a": {"b": 1}}, {"a": {}}, [("spec.a.b", "1", None)]),
        ({"a.b/c": 1}, {"a.b/c": 2}, [('spec["a.b/c"]', "1", "2")]),
        (
            {"l": [{"name": "x", "v": 1}]},
            {"l": [{"name": "x", "v": 2}]},
            [("spec.l[x].v", "1", "2")],
        ),
        (
            {"l": [{"name": "x"}, {"name": "y"}]},
            {"l": [{"name": "y"}, {"name": "x"}]},
            [("spec.l", '["[x]", "[y]"]', '["[y]", "[x]"]')],
        ),
        (
            {"l": [{"name": "x"}]},
            {"l": [{"name": "x"}, {"name": "y"}]},
            [("spec.l[y]", None, '{"name": "y"}')],
        ),
        ({"l": [{"q": 1}, {"q": 2}]}, {"l": [{"q": 1}, {"q": 3}]}, [("spec.l[1].q", "2", "3")]),
        ({"l": ["a", "b"]}, {"l": ["a", "c"]}, [("spec.l", '["a", "b"]', '["a", "c"]')]),
        ({"t": "a\nb"}, {"t": "a\nc"}, [("spec.t", "a⏎b", "a⏎c")]),
    ],
)
def test_what_differs_is_told_where(old: Any, new: Any, expected: list[Any]) -> None:
    differences = fields(old, new)
    if old == {"a": "1"}:  # told apart by more than their words
        assert [path for path, _, _ in differences] == ["spec.a"]
    else:
        assert differences == expected


def test_what_the_server_writes_is_left_out() -> None:
    old = {"kind": "X", "status": {"a": 1}, "metadata": {"uid": "1", "generation": 1}}
    assert differing.fields(old, {"kind": "X", "metadata": {"uid": "2"}}) == ()


@pytest.mark.parametrize(
    ("kind", "path", "hidden"),
    [
        ("Secret", ("data", "password"), "secret"),
        ("Secret", ("stringData", "x"), "secret"),
        ("SealedSecret", ("spec", "encryptedData", "DATABASE_URL"), "sealed"),
        ("SealedSecret", ("spec", "template", "data", "config.yaml"), "secret"),
        ("SecretList", ("items", "data", "x"), "secret"),
    ],
)
def test_data_of_secrets_is_never_shown(kind: str, path: tuple[str, ...], hidden: str) -> None:
    def secret(value: str) -> dict[str, Any]:
        manifest: dict[str, Any] = {"kind": kind}
        parent = manifest
        for part in path[:-1]:
            parent = parent.setdefault(part, {})
        parent[path[-1]] = value
        return manifest

    (field,) = differing.fields(secret(CANARY), secret(CANARY + "2"))
    assert (field.hidden, field.old, field.new) == (hidden, "", "")
    for old, new in (({"kind": kind}, secret(CANARY)), (secret(CANARY), {"kind": kind})):
        assert CANARY not in repr(differing.fields(old, new))


@pytest.mark.parametrize(
    "secret",
    [
        {"url": f"postgres://auth:{CANARY}@db:5432/auth"},
        {"password": CANARY},
        {"env": [{"name": "DB_PASSWORD", "value": CANARY}]},
        {"deep": [{"env": [{"name": "API_TOKEN", "value": CANARY}]}]},
        {"text": f"host=db password={CANARY}"},
        {"env": [{"name": "DB_PASS", "value": CANARY}, {"name": "DB_PWD", "value": CANARY}]},
        {"env": [{"name": "A_TOKEN", "value": "first"}, {"name": "A_TOKEN", "value": CANARY}]},
        {"password": [CANARY], "credentials": {"of": CANARY}},
        {"args": ["--db-password", CANARY, "up"]},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}},
    ],
)
def test_what_looks_like_a_secret_is_masked_wherever_it_is(secret: dict[str, Any]) -> None:
    other = json.loads(json.dumps(secret).replace(CANARY, "another-" + CANARY))
    for old, new in ((secret, other), ({}, secret), (secret, {}), (None, secret)):
        differences = differing.fields({"kind": "X", "spec": old}, {"kind": "X", "spec": new})
        assert differences
        assert CANARY not in repr(differences)


def test_an_object_is_shown_without_what_is_secret_in_it() -> None:
    container = {
        "image": "registry.example.com/shop/auth:1",
        "args": ["-dir", "/migrations", "postgres", f"postgres://auth:{CANARY}@db/auth", "status"],
        "env": [{"name": "GOOSE_DBSTRING", "value": f"host=db password={CANARY}"}],
    }
    job = {"kind": "Job", "spec": {"template": {"spec": {"containers": [container]}}}}
    veiled = differing.veiled(job)
    assert CANARY not in repr(veiled)
    (shown,) = veiled["spec"]["template"]["spec"]["containers"]
    assert (shown["image"], shown["args"][:3]) == (container["image"], container["args"][:3])


def test_a_checksum_of_a_secret_is_none() -> None:
    old = {"metadata": {"annotations": {"checksum/sealed-secret": "a" * 64}}}
    new = {"metadata": {"annotations": {"checksum/sealed-secret": "b" * 64}}}
    (field,) = differing.fields(old, new)
    assert (field.old, field.new, field.hidden) == ("a" * 64, "b" * 64, "")


def test_long_values_are_clipped_and_many_fields_are_bounded() -> None:
    (field,) = differing.fields({"kind": "X", "a": "x"}, {"kind": "X", "a": "y" * 10_000_000})
    assert len(field.new or "") == differing.LONGEST
    many = {"kind": "X", "spec": {str(n): n for n in range(differing.MOST * 2)}}
    assert len(differing.fields({"kind": "X", "spec": {}}, many)) == differing.MOST


def test_pods_restart_with_their_template_only() -> None:
    def deployment(replicas: int, image: str) -> dict[str, Any]:
        return {"spec": {"replicas": replicas, "template": {"spec": {"image": image}}}}

    assert differing.restarts("Deployment", deployment(1, "a"), deployment(1, "b"))
    assert not differing.restarts("Deployment", deployment(1, "a"), deployment(2, "a"))
    assert not differing.restarts("Job", deployment(1, "a"), deployment(1, "b"))


@given(OBJECTS)
def test_nothing_differs_from_itself(manifest: dict[str, Any]) -> None:
    assert differing.fields(manifest, copy.deepcopy(manifest)) == ()


@given(OBJECTS, OBJECTS)
def test_what_is_not_equal_differs_and_turned_round_as_well(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    there, back = differing.fields(old, new), differing.fields(new, old)
    assert {field.path for field in there} == {field.path for field in back}
    if json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True):
        assert there
    assert all(isinstance(field, plans.Field) for field in there)
