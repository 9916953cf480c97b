"""A JSON document that is written item by item is whole, however the writing ends."""

from __future__ import annotations

import json

import pytest

from hanbae.cli import outputs


def break_off(*items: str) -> None:
    with outputs.array(written=True, key="names") as array:
        for item in items:
            array.add(item)
        raise KeyboardInterrupt


@pytest.mark.parametrize("items", [(), ("auth",), ("auth", "identity")])
def test_array_holds_every_item(items: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with outputs.array(written=True, key="names") as array:
        for item in items:
            array.add(item)
    assert json.loads(capsys.readouterr().out) == {"format": 1, "names": list(items)}


def test_array_that_breaks_off_is_closed_before_the_document_of_the_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off("auth")
    assert json.loads(capsys.readouterr().out) == {"format": 1, "names": ["auth"]}


def test_array_that_fails_before_its_first_item_writes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert capsys.readouterr().out == ""


def test_what_of_a_name_is_no_text_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    with outputs.array(written=True, key="names") as array:
        array.add("\udce9")
    assert json.loads(capsys.readouterr().out) == {"format": 1, "names": ["?"]}
    outputs.emit_jsonl({"name": "\udce9"})
    assert json.loads(capsys.readouterr().out) == {"name": "?"}
    outputs.emit_json({"name": "\udce9"})
    assert json.loads(capsys.readouterr().out) == {"format": 1, "name": "?"}
