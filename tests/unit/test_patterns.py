"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import re

import pytest

from hanbae import patterns


def test_pattern_does_what_a_compiled_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = re.compile(r"(?P<name>a+)(\d)?", re.IGNORECASE)
    lazy = patterns.lazy(r"(?P<name>a+)(\d)?", re.IGNORECASE)
    text = "xAA1 a2 b"
    assert lazy.sub(r"<\1>", text) == compiled.sub(r"<\1>", text)
    # It is compiled once.
    monkeypatch.setattr(patterns.re, "compile", None)
    assert [match.span() for match in lazy.finditer(text)] == [(1, 4), (5, 7)]
    assert (lazy.search(text) or {})["name"] == "AA"
    assert lazy.match(text) is None
    assert lazy.fullmatch("aa2") is not None
    assert lazy.findall(text) == compiled.findall(text)
    assert lazy.split(text) == compiled.split(text)
    assert lazy.subn("", text) == compiled.subn("", text)


def test_pattern_says_what_it_is() -> None:
    lazy = patterns.lazy(rb"a", re.MULTILINE)
    assert (lazy.pattern, lazy.flags, lazy.groups) == (b"a", re.MULTILINE, 0)
    with pytest.raises(AttributeError):
        _ = lazy.nothing  # type: ignore[attr-defined]


def test_nothing_is_compiled_before_it_is_used() -> None:
    broken = patterns.lazy("(")
    with pytest.raises(re.error):
        broken.search("a")
