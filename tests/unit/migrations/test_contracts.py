"""What a file takes away from code that runs, by which comment it says after what, and where code still names it."""

from __future__ import annotations

import pytest

from hanbae.migrations import contracts, effects, scripts, usages


def taken(sql: str) -> list[tuple[str, int]]:
    parsed = scripts.read(f"-- +goose Up\n{sql}\n".encode())
    assert parsed.fault is None
    return [(entry.called, entry.line) for entry in contracts.removals(effects.of(parsed.up))]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP TABLE a;", [("a", 2)]),
        ("DROP TABLE app.a, b;", [("a", 2), ("b", 2)]),
        ("DROP VIEW v;", [("v", 2)]),
        ("ALTER TABLE a RENAME TO b;", [("a", 2)]),
        ("ALTER TABLE a RENAME COLUMN b TO c;", [("a.b", 2)]),
        ("SELECT 1;\nALTER TABLE a DROP COLUMN b, DROP COLUMN c;", [("a.b", 3), ("a.c", 3)]),
        ("ALTER TABLE a ADD COLUMN b int;", []),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint;", []),
        ("DROP INDEX a_b;", []),
        ("TRUNCATE a;", []),
        ("CREATE TABLE a (b int);\nALTER TABLE a DROP COLUMN b;\nDROP TABLE a;", []),
        ("CREATE TABLE a (b int);\nDROP TABLE c;", [("c", 3)]),
    ],
)
def test_what_running_code_cannot_use_any_more(sql: str, expected: list[tuple[str, int]]) -> None:
    assert taken(sql) == expected


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("-- hanbae: contract after 00007\nSELECT 1;", contracts.Mark(1, 7)),
        ("SELECT 1;\n\t--HANBAE: Contract\tAfter 7\n", contracts.Mark(2, 7)),
        ("-- hanbae: contract\n-- hanbae: contract after 3", contracts.Mark(1, None)),
        ("-- hanbae: contracts after 7", None),
        ("SELECT 1; -- hanbae: contract after 7", None),
        ("SELECT 1;", None),
    ],
)
def test_the_comment_that_says_what_it_waits_for(text: str, mark: contracts.Mark | None) -> None:
    assert contracts.mark(text) == mark


COLUMN = contracts.Removal("sessions", "device", 1)
TABLE = contracts.Removal("sessions", "", 1)


@pytest.mark.parametrize(
    ("taken", "text", "line"),
    [
        (COLUMN, "a\nFROM sessions\nb\nSELECT device", 4),
        (COLUMN, "device", 0),
        (COLUMN, "sessions", 0),
        (COLUMN, "sessions devices device2 _device device_ Device", 0),
        (COLUMN, "sessions devices\ndevice", 2),
        (TABLE, "a\nFROM sessions", 2),
        (TABLE, "sessionsX my_sessions sessions1", 0),
        (TABLE, '"sessions"', 1),
        (TABLE, "", 0),
    ],
)
def test_where_code_names_it_as_a_word_of_its_own(
    taken: contracts.Removal, text: str, line: int
) -> None:
    usage = usages.of(taken, ["store.go"], lambda _: text.encode())
    assert usage == (usages.Usage("store.go", line) if line else None)


def test_the_first_file_that_names_it_is_told_and_what_cannot_be_read_is_passed_over() -> None:
    large = b"sessions" + b" " * usages._LARGEST
    files = {
        "a.go": None,
        "b.go": large,
        "c.go": b"nothing",
        "d.go": b"sessions",
        "e.go": b"sessions",
    }
    assert usages.of(TABLE, files, files.get) == usages.Usage("d.go", 1)
    within = b"sessions" + b" " * (usages._LARGEST - len("sessions"))
    assert usages.of(TABLE, ["b.go"], lambda _: within) == usages.Usage("b.go", 1)


def test_it_is_looked_for_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.go": b"x" * 8, "b.go": b"sessions"}
    for name, bound, inside in (("_MOST_BYTES", 16, 15), ("_MOST_FILES", 2, 1)):
        with monkeypatch.context() as patch:
            patch.setattr(usages, name, bound)
            assert usages.of(TABLE, files, files.get) == usages.Usage("b.go", 1)
            patch.setattr(usages, name, inside)
            assert usages.of(TABLE, files, files.get) is None


@pytest.mark.parametrize(
    ("path", "is_code"),
    [
        ("app/store.go", True),
        ("app/contest.py", True),
        ("app/latest/a.ts", True),
        ("app/store_test.go", False),
        ("tests/store.py", False),
        ("app/__tests__/a.ts", False),
        ("app/a.spec.ts", False),
        ("app/testdata/a.sql", False),
        ("README.md", False),
        ("Makefile", False),
    ],
)
def test_what_may_be_a_part_of_the_program(path: str, is_code: bool) -> None:
    assert usages.is_code(path) is is_code
