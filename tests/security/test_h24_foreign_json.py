"""JSON of others is read in one place, which knows what a library makes of a hostile one."""

from __future__ import annotations

import ast
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hanbae
from hanbae import foreign_json

SOURCE = Path(hanbae.__file__).parent
DECODERS = {"json.load", "json.loads", "msgspec.json.decode", "msgspec.json.Decoder"}
OWN = {
    "foreign_json.py",
    "apis/schemas.py",  # data that comes with hanbae
    "apis/serving.py",
    "images/layer_worker.py",  # the request of its own parent
}


def test_no_other_module_decodes_json() -> None:
    calls = {
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        if str(path.relative_to(SOURCE)) not in OWN and "sandbox" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DECODERS
    }
    assert not calls


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 1000 + "]" * 1000,
        '{"a": [' * 1000 + "]}" * 1000,
        '{"a":' * 100_000,
        '"\\ud800"',
        b'"\xff"',
        "9" * 5000,
        "9" * 400,
        '{"a": [-' + "9" * 400 + "]}",
        "1e999",
        "",
        "{",
        "nan",
        "\0",
    ],
)
def test_every_fault_is_one_kind(text: str | bytes) -> None:
    with pytest.raises(foreign_json.Fault):
        foreign_json.decode(text)
    assert foreign_json.mapping(text) == {}


def test_a_text_that_is_no_unicode() -> None:
    with pytest.raises(foreign_json.Fault):
        foreign_json.decode('"\ud800"')


def test_what_is_honest_is_read() -> None:
    assert foreign_json.decode(b'{"a": [1, null]}') == {"a": [1, None]}
    assert foreign_json.mapping("[]") == {}
    assert foreign_json.mappings([{"a": 1}, 2, None]) == [{"a": 1}]
    assert foreign_json.texts(["a", 1]) == ["a"]
    assert foreign_json.below({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert foreign_json.below({"a": []}, "a", "b") == {}
    assert foreign_json.number("7", 5) == 5


def test_brackets_in_texts_and_beside_each_other_are_no_levels() -> None:
    beside = [{"a": ["[{" * 2000, '\\"[' * 2000]}] * 2000
    assert foreign_json.decode(msgspec.json.encode(beside)) == beside
    deep = "[" * 500 + "]" * 500
    assert len(str(foreign_json.decode(deep))) == 1000


def test_levels_of_a_large_text_are_counted_soon() -> None:
    large = msgspec.json.encode([{"a": ["x" * 50, {"b": '\\"['}]}] * 100_000)
    began = time.process_time()
    foreign_json.decode(large)
    whole = time.process_time() - began
    began = time.process_time()
    foreign_json.decode(b'"' + b'\\"[' * 500_000 + b'"')
    assert whole + time.process_time() - began < 5


def test_letters_of_a_long_text_cost_no_memory_each() -> None:
    text = b'"' + b"[" * 1000 + b"x" * 1_000_000 + b'\\"x"'
    tracemalloc.start()
    foreign_json.decode(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(text)


class Typed(msgspec.Struct):
    numbers: dict[int, Any]
    kept: msgspec.Raw = msgspec.Raw()


def test_numbers_of_more_than_64_bits_are_floats_whatever_is_around_them() -> None:
    text = '{"numbers": {"1": 99999999999999999999, "2": [-9223372036854775809, 7]}}'
    assert foreign_json.decode(text, Typed).numbers == {1: 1e20, 2: [-9223372036854775809.0, 7]}
    assert foreign_json.decode(text.encode())["numbers"]["1"] == 1e20
    assert msgspec.msgpack.encode(foreign_json.decode(text))
    digest = '{"numbers": {"1": "1234567890123456789012345678"}, "kept": {"a": 1}}'
    decoded = foreign_json.decode(digest, Typed)
    assert decoded.numbers == {1: "1234567890123456789012345678"}
    assert bytes(decoded.kept) == b'{"a": 1}'


@pytest.mark.parametrize("behind", [",", "]", " ,", "\n]"])
def test_a_long_number_behind_a_digest_is_one_of_64_bits(behind: str) -> None:
    digits = "9" * 20
    text = f'["sha256:{digits}", "{digits}a", 0.{digits}, -{digits}{behind}'
    decoded = foreign_json.decode(text + ("" if "]" in behind else "1]"))
    assert decoded[:4] == [f"sha256:{digits}", f"{digits}a", 1.0, -1e20]
    assert isinstance(decoded[3], float)


def test_digits_within_texts_do_not_have_json_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", None)
    digest = {"image": "auth@sha256:" + "0" * 64, "ratio": 0.1234567890123456789}
    assert foreign_json.decode(msgspec.json.encode(digest)) == digest


def test_long_runs_of_digits_are_looked_at_in_linear_time() -> None:
    begun = time.process_time()
    assert foreign_json.decode('"' + ("0" * 20 + "a") * 400_000 + "0" * 4_000_000 + '"')
    assert time.process_time() - begun < 2
