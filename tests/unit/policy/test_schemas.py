"""The published schema says what the loader accepts."""

from __future__ import annotations

import json

import msgspec
import pytest

from hanbae.policy import documents, schemas

STRUCTS = [
    kind
    for kind in vars(documents).values()
    if isinstance(kind, type)
    and issubclass(kind, documents.Document)
    and kind is not documents.Document
]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_key_is_described_and_unknown_ones_are_refused(kind: type[msgspec.Struct]) -> None:
    component = schemas.schema()["$defs"][kind.__name__]
    assert component["additionalProperties"] is False
    assert set(component["properties"]) == {f.name for f in msgspec.structs.fields(kind)}
    for name, field in component["properties"].items():
        assert field.get("description"), f"{kind.__name__}.{name}"


def test_text_is_stable_json() -> None:
    text = schemas.text()
    assert text.endswith("}\n")
    assert text == schemas.text()
    assert json.loads(text)["$ref"] == "#/$defs/Policy"
