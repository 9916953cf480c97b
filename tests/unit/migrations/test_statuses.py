"""Lines that goose 3.27.3 really wrote, against PostgreSQL 18."""

from __future__ import annotations

import pytest

from hanbae.migrations import statuses

UP = """\
2026/11/23 12:08:19 OK   00001_a.sql (1.05ms)
2026/11/23 12:08:19 EMPTY 00002_empty.sql (179.51µs)
2026/11/23 12:08:19 goose run: ERROR 00003_bad.sql: failed to run SQL migration: failed to execute SQL query \
"SELECT 1/0;": ERROR: division by zero (SQLSTATE 22012)
"""
STATUS = """\
2026/11/23 12:08:19     Applied At                  Migration
2026/11/23 12:08:19     =======================================
2026/11/23 12:08:19     Mon Nov 23 12:08:19 2026 -- 00001_a.sql
2026/11/23 12:08:19     Sun Nov  1 02:08:19 2026 -- 00002_empty.sql
2026/11/23 12:08:19     Pending                  -- 00003_bad.sql
2026/11/23 12:08:19     Pending                  -- 20261123101500_x.sql
"""
UNREACHABLE = """\
2026/11/23 12:08:19 goose run: failed to connect to `user=postgres database=x`:
\t127.0.0.1:1 (127.0.0.1): dial error: dial tcp 127.0.0.1:1: connect: connection refused
"""


def test_applied_and_empty_files_were_applied() -> None:
    assert [statuses.applied(line) for line in UP.splitlines()] == [1, 2, None]


@pytest.mark.parametrize(
    "line",
    [
        "2026/11/23 12:08:19 goose: no migrations to run. current version: 4",
        "NOTICE: OK 00001_a.sql",
        "OK   notes.sql (1ms)",
        "OK   00001_a.sql and more",
        "",
    ],
)
def test_other_lines_say_nothing_about_versions(line: str) -> None:
    assert statuses.applied(line) is None


def test_a_line_without_a_time_stamp_counts_as_well() -> None:
    assert statuses.applied("OK    00001_a b.sql (2s)") == 1


def test_the_failing_file_and_the_databases_words_are_found() -> None:
    failure = statuses.failure(UP.splitlines())
    assert failure is not None
    assert failure.file == "00003_bad.sql"
    assert failure.error.endswith("ERROR: division by zero (SQLSTATE 22012)")


def test_an_error_over_several_lines_is_read_to_its_end() -> None:
    failure = statuses.failure(UNREACHABLE.splitlines())
    assert failure is not None
    assert failure.file == ""
    assert failure.error.endswith("connect: connection refused")


def test_a_log_without_an_error_has_no_failure() -> None:
    assert statuses.failure(["2026/11/23 12:08:19 OK   00001_a.sql (1ms)"]) is None


def test_a_status_tells_applied_from_pending() -> None:
    status = statuses.status(STATUS.splitlines())
    assert status == statuses.Status((1, 2), (3, 20261123101500))
    assert status.version == 2


def test_a_table_without_rows_is_a_status_and_anything_else_is_none() -> None:
    assert statuses.status(STATUS.splitlines()[:2]) == statuses.Status((), ())
    assert statuses.status(UNREACHABLE.splitlines()) is None
    assert statuses.status([]) is None
