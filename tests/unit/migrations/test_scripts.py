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


BEGIN, END = "-- +goose StatementBegin\n", "-- +goose StatementEnd\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_letters_of_two_bytes_are_told_without_a_byte_order_mark(encoding: str) -> None:
    fault = scripts.read(f"{UP}SELECT 1;\n".encode(encoding)).fault
    assert fault == scripts.Fault("utf-16", 1)


@pytest.mark.parametrize(("longer", "kind"), [(0, "long-line"), (-1, None)])
def test_a_line_fits_into_gooses_buffer_to_the_byte(longer: int, kind: str | None) -> None:
    line = "SELECT 1;".ljust(scripts._LONGEST + longer)
    fault = scripts.parse(f"{UP}{line}\n").fault
    assert (fault.kind if fault else None) == kind


@pytest.mark.parametrize(
    ("text", "texts", "line"),
    [
        ("SELECT\r\n1;\r\n", ["SELECT\n1;"], 2),
        ("   \nSELECT 1;\n", ["SELECT 1;"], 3),
        ("SELECT 1--y;\n", ["SELECT 1--y;"], 2),
        ("SELECT 'a;b'\n;\n", ["SELECT 'a;b'\n;"], 2),
        (BEGIN + END + BEGIN + "SELECT 1;\n" + END, ["SELECT 1;"], 5),
    ],
    ids=["windows", "blanks first", "no comment", "in the middle", "behind an empty block"],
)
def test_what_a_statement_is_and_where_it_begins(text: str, texts: list[str], line: int) -> None:
    parsed = scripts.parse(UP + text)
    assert (parsed.fault, parsed.lost) == (None, ())
    assert [statement.text for statement in parsed.up] == texts
    assert parsed.up[0].line == line


def test_what_an_empty_block_leaves_out_ends_with_its_part_and_is_no_blank_line() -> None:
    parsed = scripts.parse(f"{UP}{BEGIN}{END}-- +goose Down\nSELECT 1;\n")
    assert (parsed.up, parsed.lost) == ((), ())
    assert [statement.text for statement in parsed.down or ()] == ["SELECT 1;"]
    assert scripts.parse(f"{UP}{BEGIN}{END}   \n").lost == ()
    assert scripts.parse(f"{UP}{BEGIN}{END}SELECT 1;\n").lost == (4,)


def test_an_annotation_that_is_there_twice_in_a_line_is_none() -> None:
    assert scripts.parse("-- +goose Up +goose\nSELECT 1;\n").fault == scripts.Fault("unknown", 1)


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("SELECT 1;\u3000\x85", True),
        ("SELECT 1;\x1c", False),  # white space to Python and not to Go
        ("SELECT ';' ", False),
        ("SELECT 1; -- one", True),
        ("SELECT 1 -- one;", False),
        ("SELECT 1;--one", False),
        ("; ", True),
    ],
)
def test_a_statement_ends_with_the_last_word_before_a_comment(line: str, ends: bool) -> None:
    assert (len(scripts.parse(f"{UP}{line}\nSELECT 2;\n").up) == 2) is ends


def test_a_file_that_was_read_before_is_read_with_the_variables_of_now() -> None:
    data = b"-- +goose Up\n-- +goose ENVSUB ON\nSELECT '${NAME}';\n"

    assert scripts.read(data).up[0].text == "SELECT '${NAME}';"
    assert scripts.read(data, {"NAME": "auth"}).up[0].text == "SELECT 'auth';"
    assert scripts.read(data) is scripts.read(data)
