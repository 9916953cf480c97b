from __future__ import annotations

import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import errors
from hanbae.sealing import ciphertexts, envfiles


def read(text: str) -> dict[str, str]:
    variables = envfiles.parse(text.encode(), ".env")
    return {key: value.unmask().decode() for key, value in variables.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB = two \n", {"A": "1", "B": "two"}),
        ("# comment\n\n  # another\nexport A=1\n", {"A": "1"}),
        ("A=p$HOME#x # the rest is a comment\n", {"A": "p$HOME#x"}),
        ("A='x # y $Z \\n'  # comment\nB=2", {"A": "x # y $Z \\n", "B": "2"}),
        ('A="x\\n\\"y\\"\\\\ \\$Z \\q"\n', {"A": 'x\n"y"\\ $Z \\q'}),
        ("A='one\ntwo'\nB=2\n", {"A": "one\ntwo", "B": "2"}),
        ('A="one\ntwo\n"\n', {"A": "one\ntwo\n"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ("A=postgres://u:p@h/d?a=b&c=d\r\nB=2\r\n", {"A": "postgres://u:p@h/d?a=b&c=d", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=it's\n", {"A": "it's"}),
        ("", {}),
    ],
)
def test_lines_are_read(text: str, expected: dict[str, str]) -> None:
    assert read(text) == expected
    assert list(read(text)) == list(expected)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\ncanary\n", 2),
        ("A=1\n\nA=canary\n", 3),
        ("A='canary\nB=2\n", 1),
        ('A="canary\\"\n', 1),
        ("A='x'canary\n", 1),
        ("A B=canary\n", 1),
        ("A/B=canary\n", 1),
        ("=canary\n", 1),
        ("KEY=-----BEGIN PRIVATE KEY-----\ncanary\n", 2),
        ("KEY=-----BEGIN PRIVATE KEY-----\ncanary==\n", 2),
    ],
)
def test_fault_has_its_line_and_no_part_of_a_value(text: str, line: int) -> None:
    with pytest.raises(errors.FileFault) as caught:
        envfiles.parse(text.encode(), ".env")
    assert caught.value.place is not None
    assert (caught.value.place.file, caught.value.place.line) == (".env", line)
    assert "canary" not in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value)).replace(text, "")


@given(st.binary(max_size=200))
def test_anything_is_read_or_is_a_fault(data: bytes) -> None:
    fault = None
    variables: dict[str, object] = {}
    try:
        variables |= envfiles.parse(data, ".env")
    except errors.FileFault as error:
        fault = error
    assert fault is None or str(fault.place).startswith(".env:")
    assert all(ciphertexts.is_key(name) for name in variables)


@given(st.text(st.characters(blacklist_characters="'\r", blacklist_categories=["Cs"]), max_size=40))
def test_single_quotes_hold_anything_but_themselves(value: str) -> None:
    assert read(f"A='{value}'\n") == {"A": value}


def test_a_megabyte_of_empty_lines_takes_no_longer_than_it_is() -> None:
    """Counting the lines anew for each of them takes minutes."""
    began = time.process_time()
    with pytest.raises(errors.FileFault) as caught:
        envfiles.parse(b"\n" * (1 << 20) + b"canary\n", ".env")
    assert time.process_time() - began < 15
    assert str(caught.value.place) == f".env:{(1 << 20) + 1}"
