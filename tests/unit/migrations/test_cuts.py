"""Where goose cuts a statement, remembered of files that several services have."""

from __future__ import annotations

from hanbae.migrations import cuts, scripts


def test_what_was_cut_before_is_read_again_for_another_dialect() -> None:
    # To MySQL the backslash hides the quote behind it, so the string goes on.
    part = scripts.parse("-- +goose Up\nSELECT 'a\\';\nSELECT 1;\n").up

    assert cuts.cuts(part, "postgres") == ()
    assert [cut.line for cut in cuts.cuts(part, "mysql")] == [2]
    assert cuts.cuts(part, "postgres") == ()


def test_the_same_statements_are_read_once_and_found_on_their_own_lines() -> None:
    text = "-- +goose Up\nSELECT 'a;\nb';\n"
    part, below = scripts.parse(text).up, scripts.parse(f"\n{text}").up

    assert cuts.cuts(part, "postgres") is cuts.cuts(part, "postgres")
    assert cuts.cuts(part, "postgres")[0].line == 2
    assert cuts.cuts(below, "postgres")[0].line == 3
