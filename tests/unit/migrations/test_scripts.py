from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.migrations import scripts

UP = "-- +goose Up\n"


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("", "no-up", 1),
        ("-- nothing\n", "no-up", 1),
        ("/* licence */\n-- +goose Up\n", "outside", 1),
        ("SELECT 1;\n" + UP, "outside", 1),
        (UP + "SELECT 1\n", "unfinished", 2),
        (UP + "\n-- why\nSELECT 1\n\n-- +goose Down\n", "unfinished", 4),
        (UP + "-- +goose StatementBegin\nSELECT 1;\n", "begin-open", 2),
        (UP + "-- +goose StatementBegin\n-- +goose Down\n", "begin-open", 2),
        (UP + "-- +goose StatementEnd\n", "end", 2),
        ("-- +goose StatementBegin\n", "begin", 1),
        (UP + "-- +goose StatementBegin\n-- +goose StatementBegin\n", "begin", 3),
        (UP + UP, "up-twice", 2),
        ("-- +goose Down\n" + UP, "down-first", 1),
        (UP + "-- +goose Down\n-- +goose Down\n", "down-twice", 3),
        (UP + "  -- +goose Down\n", "indented", 2),
        (UP + "-- see +goose docs\n", "unknown", 2),
    ],
)
def test_goose_gives_up_at_the_line(text: str, kind: str, line: int) -> None:
    fault = scripts.parse(text).fault
    assert fault is not None
    assert (fault.kind, fault.line) == (kind, line)


def test_statements_end_with_lines_and_know_where_they_begin() -> None:
    text = UP + "\n-- first\nSELECT 1;\nSELECT\n  2; -- two\na; b;\n\n-- +goose Down\nSELECT 3;\n"
    parsed = scripts.parse(text)
    assert parsed.fault is None
    assert [(statement.text, statement.line) for statement in parsed.up] == [
        ("SELECT 1;", 4),
        ("SELECT\n  2; -- two", 5),
        ("a; b;", 7),
    ]
    assert parsed.down == (scripts.Statement("SELECT 3;", 10, 10),)
    assert parsed.transaction


def test_a_function_is_one_statement_and_windows_lines_are_lines() -> None:
    text = (
        UP
        + "-- +goose StatementBegin\nCREATE FUNCTION f() AS $$\nBEGIN;\nEND;\n$$;\n-- +goose StatementEnd\n"
    )
    parsed = scripts.parse(("-- +goose NO TRANSACTION\n" + text).replace("\n", "\r\n"))
    assert parsed.fault is None
    assert len(parsed.up) == 1
    assert parsed.up[0].line == 4
    assert not parsed.transaction
    assert parsed.down is None


@given(st.text(alphabet="-+ gose UpDwn;\n\r$'", max_size=200))
def test_any_text_is_read(text: str) -> None:
    parsed = scripts.parse(text)
    lines = text.count("\n") + 1
    assert all(1 <= statement.line <= lines for statement in (*parsed.up, *(parsed.down or ())))
    assert parsed.fault is None or 1 <= parsed.fault.line <= lines


def test_a_block_that_holds_nothing_costs_the_line_behind_it() -> None:
    block = "-- +goose StatementBegin\n-- to do\n-- +goose StatementEnd\n"
    parsed = scripts.parse(UP + block + "\nCREATE TABLE a (\n  b int\n);\n")
    assert parsed.fault is None
    assert parsed.lost == (6,)
    assert [statement.text for statement in parsed.up] == ["", "b int\n);"]


def test_whether_a_down_part_explains_itself_is_known() -> None:
    assert scripts.parse(UP + "SELECT 1;\n-- +goose Down\n-- gone\n").explained
    assert not scripts.parse(UP + "-- why\nSELECT 1;\n-- +goose Down\n").explained


def test_a_fault_in_one_part_leaves_the_other() -> None:
    parsed = scripts.parse(UP + "SELECT 1;\n-- +goose Down\nSELECT 2\n")
    assert parsed.fault is not None
    assert (parsed.fault.kind, parsed.fault.part) == ("unfinished", "down")
    assert len(parsed.up) == 1
