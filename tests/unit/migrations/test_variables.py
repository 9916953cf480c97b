from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.migrations import scripts, variables


@pytest.mark.parametrize(
    ("line", "text", "names"),
    [
        ("SELECT 1;", "SELECT 1;", ()),
        ("$A ${B} $$C \\$D", "$A ${B} $C $D", ("A", "B")),
        ("${A:-${B-x}}", "${A:-${B-x}}", ("A", "B")),
        ("${A?must be set}", "${A?must be set}", ("A",)),
        ("the end $", "the end $", ()),
    ],
)
def test_variables_stay_as_they_are_written_where_nobody_knows_them(
    line: str, text: str, names: tuple[str, ...]
) -> None:
    assert variables.substituted(line) == variables.Substituted(text, names)


@pytest.mark.parametrize("line", ["$1", "$_A", "${1}", "${A", "${A:-b", "${A+b}", "${A:x}", "$ x"])
def test_a_dollar_that_begins_no_variable_is_refused(line: str) -> None:
    with pytest.raises(variables.UnreadableError):
        variables.substituted(line)


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 20, "9223372036854775808", " -" + "9" * 4299])
def test_a_number_that_goose_does_not_read_is_refused(number: str) -> None:
    for line in (f"${{A:{number}}}", f"${{A:0:{number}}}"):
        with pytest.raises(variables.UnreadableError):
            variables.substituted(line)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("9223372036854775807", ""),
        (" -9223372036854775808", "abc"),
        ("+1", "bc"),
        ("0" * 5000, "abc"),
    ],
)
def test_a_number_that_goose_reads_is_read(number: str, text: str) -> None:
    assert variables.substituted(f"${{A:{number}}}", {"A": "abc"}).text == text


def test_levels_without_an_end_are_refused_and_not_followed() -> None:
    with pytest.raises(variables.UnreadableError):
        variables.substituted("${A:-" * 100_000)


@given(st.text(alphabet="$\\{}:-?AB1_x ", max_size=30))
def test_no_line_is_read_otherwise_than_to_its_end_or_refused(line: str) -> None:
    try:
        substituted = variables.substituted(line, {"A": "a"})
    except variables.UnreadableError:
        return
    assert set(substituted.names) <= {name for name in substituted.names if name in line}


def test_a_statement_knows_the_variables_that_are_put_into_it() -> None:
    parsed = scripts.parse(
        "-- +goose Up\n-- +goose ENVSUB ON\nSELECT '$A',\n  '${B}';\n-- +goose ENVSUB OFF\nSELECT '$C';\n"
    )
    assert [statement.variables for statement in parsed.up] == [("A", "B"), ()]
