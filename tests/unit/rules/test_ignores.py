"""Comments that accept findings: what they look like, and which line they speak of."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.charts import tracing
from hanbae.rules import ignores


@pytest.mark.parametrize(
    ("text", "line", "codes", "reason", "content"),
    [
        ("a: 1 # hanbae: ignore ARG001 why not", 1, ("ARG001",), "why not", "a: 1"),
        ("# hanbae: ignore ARG001,SEC002 x\na: 1", 2, ("ARG001", "SEC002"), "x", "a: 1"),
        ("# hanbae: ignore OWN-no-latest x\r\na: 1\r", 2, ("OWN-no-latest",), "x", "a: 1"),
        ("-- hanbae: ignore MIG001 x\nDROP TABLE a;", 2, ("MIG001",), "x", "DROP TABLE a;"),
        ("{{- /* hanbae: ignore ARG001 x */ -}}\na: 1", 2, ("ARG001",), "x", "a: 1"),
        ("a: 1 {{/* hanbae: ignore ARG001 x */}}", 1, ("ARG001",), "x", "a: 1"),
        ("#hanbae:ignore ARG001 x\n# hanbae: ignore ARG002 y\na: 1", 3, ("ARG001",), "x", "a: 1"),
        ("# hanbae: ignore ARG001", 2, ("ARG001",), "", ""),
        ("# hanbae: ignore", 2, (), "", ""),
        ("# hanbae: ignore arg001 x", 2, (), "", ""),
    ],
)
def test_comment_is_read(
    text: str, line: int, codes: tuple[str, ...], reason: str, content: str
) -> None:
    first = ignores.parse(text, "a.yaml")[0]
    assert (first.line, first.codes, first.reason, first.content) == (line, codes, reason, content)
    assert first.complete == bool(codes and reason)


@pytest.mark.parametrize(
    "text",
    [
        "a: 'x#hanbae: ignore ARG001 x'",
        "# hanbae ignores",
        "hanbae: ignore ARG001 x",
        "# hanbae: ignored x",
    ],
)
def test_other_text_is_no_comment(text: str) -> None:
    assert ignores.parse(text, "a.yaml") == ()


def test_only_a_comment_among_the_first_lines_speaks_of_the_file() -> None:
    text = "# a\n\n# hanbae: ignore ARG001 x\na: 1\n# hanbae: ignore ARG001 x\n"
    assert [comment.whole for comment in ignores.parse(text, "a.yaml")] == [True, False]


@given(st.text(), st.text())
def test_any_text_can_be_looked_at(before: str, after: str) -> None:
    text = f"{before} # hanbae: ignore {after}"
    places = [comment.place for comment in ignores.parse(text, "a.yaml")]
    assert all(1 <= place.line <= len(text.splitlines()) for place in places)


def test_comment_does_not_hide_its_line_from_tracing() -> None:
    template = "a: 1  # hanbae: ignore ARG001 x\nb: |\n  c # hanbae: ignore ARG001 x\n"
    assert tracing.numbered(template).split("\n")[0] == "a: 1 #@@1"
    assert "  c # hanbae: ignore ARG001 x\n" in tracing.numbered(template)


def test_hostile_comments_take_no_time_of_their_length() -> None:
    spaces = "{{/* hanbae: ignore LAY009 x" + " " * 1_000_000 + "x\n"
    block = "# hanbae: ignore LAY009 x\n" * 100_000
    started = time.process_time()
    assert len(ignores.parse(spaces, "a.yaml")) == 1
    comments = ignores.parse(block, "a.yaml")
    assert time.process_time() - started < 5
    assert len(comments) == 1000


def test_comments_above_each_other_speak_of_the_line_below_them_all() -> None:
    text = "# hanbae: ignore ARG001 x\n# hanbae: ignore ARG002 y\nb: 1 # hanbae: ignore ARG003 z\n"
    assert [(comment.line, comment.content) for comment in ignores.parse(text, "a.yaml")] == [
        (3, "b: 1")
    ] * 3
