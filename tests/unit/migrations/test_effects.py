"""What statements do, as PostgreSQL's own parser reads them; the locks are proven in tests/parity."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.migrations import effects, lock_timeouts, postgresql, scripts


def effects_of(sql: str) -> tuple[effects.Effect, ...]:
    parsed = scripts.parse(f"-- +goose Up\n{sql}\n")
    assert parsed.fault is None
    return effects.of(parsed.up)


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("ALTER TABLE a.b ADD COLUMN c int;", ("column-added", "a.b", "c", "int4")),
        ("ALTER TABLE a RENAME COLUMN b TO c;", ("column-renamed", "a", "b", "c")),
        ("ALTER TABLE a RENAME TO b;", ("table-renamed", "a", "", "b")),
        ("ALTER TABLE s.a RENAME TO b;", ("table-renamed", "s.a", "", "s.b")),
        ("ALTER TABLE a SET SCHEMA s;", ("table-renamed", "a", "", "s.a")),
        ("ALTER TABLE a ALTER b TYPE text USING b::text;", ("column-type", "a", "b", "text")),
        ("DROP INDEX CONCURRENTLY IF EXISTS s.i;", ("index-dropped", "", "s.i", "")),
        ("DROP TRIGGER t ON s.a;", ("trigger-dropped", "s.a", "t", "")),
        ("CREATE UNIQUE INDEX ON a (b);", ("index-created", "a", "", "")),
        ('CREATE TABLE "A b" (c int);', ("table-created", "A b", "", "")),
        ("CREATE EXTENSION x;", ("other", "", "", "")),
        ("CREATE TABEL a (b int);", ("unread", "", "", "")),
        ("INSERT INTO a VALUES ('x; y');", ("rows-inserted", "a", "", "")),
    ],
)
def test_a_statement_says_what_it_does_to_what(sql: str, effect: tuple[str, ...]) -> None:
    (only,) = effects_of(sql)
    assert (only.action, only.table, only.name, only.to) == effect


def test_each_effect_knows_its_own_line() -> None:
    sql = (
        "-- why\nDROP TABLE a; /* and\n/* nested */ */ DROP TABLE b;\n\n-- more\nTRUNCATE c,\n  d;"
    )
    assert [(effect.table, effect.line) for effect in effects_of(sql)] == [
        ("a", 3),
        ("b", 4),
        ("c", 7),
        ("d", 7),
    ]


def test_what_the_file_creates_itself_is_free() -> None:
    both = effects_of("CREATE TABLE a (b int);\nCREATE INDEX i ON a (b);\nCREATE INDEX j ON c (b);")
    assert [(effect.lock, effect.new) for effect in both] == [
        ("", True),
        ("", True),
        ("SHARE", False),
    ]


@pytest.mark.parametrize(
    ("sql", "new"),
    [
        ("CREATE TABLE IF NOT EXISTS a (b int); DROP TABLE a;", [True, False]),
        ("CREATE TABLE IF NOT EXISTS a (b int); CREATE INDEX i ON a (b);", [True, True]),
        ("CREATE TABLE IF NOT EXISTS a (b int); TRUNCATE a;", [True, False]),
        ("CREATE TEMP TABLE a (b int); DROP TABLE a; DROP TABLE a;", [True, True, False]),
        ("CREATE TABLE a (b int); ALTER TABLE a RENAME TO c; DROP TABLE c;", [True, True, True]),
        ("CREATE TABLE a (b int); ALTER TABLE a SET SCHEMA s; DROP TABLE s.a;", [True, True, True]),
        ("CREATE TABLE a (b int); ALTER TABLE a RENAME TO c; DROP TABLE a;", [True, True, False]),
        ("DROP TABLE a; CREATE TABLE a (b int);", [False, True]),
    ],
)
def test_what_takes_from_a_table_is_free_only_where_the_file_creates_it_for_certain(
    sql: str, new: list[bool]
) -> None:
    assert [effect.new for effect in effects_of(sql.replace("; ", ";\n"))] == new


@pytest.mark.parametrize(
    ("statement", "block"),
    [
        ("", "IF x THEN CREATE TABLE a (b int); END IF;"),
        ("CREATE TABLE c (b int);\n", "IF x THEN ALTER TABLE c RENAME TO a; END IF;"),
        ("CREATE TABLE a (b int);\n", "IF x THEN DROP TABLE a; END IF;"),
    ],
)
def test_what_a_block_creates_may_have_been_there_before(statement: str, block: str) -> None:
    *_, last = effects_of(
        f"{statement}-- +goose StatementBegin\nDO $$ BEGIN {block} END $$;\n-- +goose StatementEnd\nDROP TABLE a;"
    )
    assert (last.action, last.new) == ("table-dropped", False)


@pytest.mark.parametrize(
    ("definition", "fails"),
    [
        ("int NOT NULL", True),
        ("int DEFAULT NULL NOT NULL", True),
        ("int NOT NULL DEFAULT NULL::int", True),
        ("int PRIMARY KEY", True),
        ("int NOT NULL DEFAULT 0", False),
        ("int", False),
        ("bigserial NOT NULL", False),
        ("int NOT NULL GENERATED ALWAYS AS IDENTITY", False),
        ("int NOT NULL GENERATED ALWAYS AS (b * 2) STORED", False),
    ],
)
def test_a_required_column_without_a_value_fails_where_there_are_rows(
    definition: str, fails: bool
) -> None:
    (only,) = effects_of(f"ALTER TABLE a ADD COLUMN c {definition};")
    assert only.fails is fails


def test_a_block_is_looked_into_and_its_strings_are_not_shown() -> None:
    sql = (
        "-- +goose StatementBegin\nDO $$ BEGIN\n  ALTER ROLE r PASSWORD 'c4n4ry';\n"
        "  ALTER TABLE a DROP COLUMN b;\nEND $$;\n-- +goose StatementEnd\nCREATE ROLE q PASSWORD 'c4n4ry';"
    )
    effects_ = effects_of(sql)
    assert ("column-dropped", "a", 5) in [(e.action, e.table, e.line) for e in effects_]
    assert "c4n4ry" not in repr(effects_)


@pytest.mark.parametrize("before", ["/* why */ ", "/* why /* nested */ */ ", "SELECT 1; "])
def test_a_block_is_looked_into_behind_whatever_comes_before_it(before: str) -> None:
    effects_ = effects_of(
        "-- +goose StatementBegin\n"
        f"{before}DO $$ BEGIN\n  DROP TABLE a;\nEND $$; DROP TABLE b;\n-- +goose StatementEnd"
    )
    dropped = [(e.table, e.line) for e in effects_ if e.action == "table-dropped"]
    assert dropped == [("a", 4), ("b", 5)]


@pytest.mark.parametrize(
    ("sql", "timeouts"),
    [
        ("DROP TABLE a;", [""]),
        ("SET LOCAL lock_timeout = '3s';\nDROP TABLE a;", ["3s"]),
        (
            "SET lock_timeout TO 3000;\nDROP TABLE a;\nRESET lock_timeout;\nDROP TABLE b;",
            ["3000", ""],
        ),
        ("SET lock_timeout = '0s';\nDROP TABLE a;", [""]),
        ("SET LOCK_TIMEOUT = DEFAULT;\nDROP TABLE a;", [""]),
        ("SELECT set_config('lock_timeout', '4s', true);\nDROP TABLE a;", ["4s"]),
        ("SET LOCAL statement_timeout = '3s';\nDROP TABLE a;", [""]),
        ("CREATE INDEX CONCURRENTLY i ON a (b);", []),
    ],
)
def test_the_timeout_in_effect_is_the_last_one_that_was_set(sql: str, timeouts: list[str]) -> None:
    waits = lock_timeouts.waits(effects_of(sql), transaction=True)
    assert [wait.timeout for wait in waits] == timeouts


def test_outside_a_transaction_a_local_setting_does_nothing() -> None:
    waits = lock_timeouts.waits(
        effects_of("SET LOCAL lock_timeout = '3s';\nDROP TABLE a;"),
        transaction=False,
        otherwise="1s",
    )
    assert [wait.timeout for wait in waits] == ["1s"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1" + " + 1" * 4000,
        "SELECT " + "(" * 9000 + "1" + ")" * 9000,
        "ALTER TABLE t ADD CHECK (" + "a+" * 8000 + "a)",
        "SELECT 1" + "::int" * 3000,
        "SELECT 1\0",
        "SELECT '" + "x" * postgresql.LONGEST + "'",
    ],
)
def test_what_would_end_the_parser_is_refused(sql: str) -> None:
    with pytest.raises(postgresql.UnreadableError):
        postgresql.commands(scripts.Statement(sql, 1))


@pytest.mark.parametrize("text", ["1", f"'{'한' * 60}'"], ids=["ascii", "korean"])
def test_a_syntax_error_knows_its_line(text: str) -> None:
    sql = f"SELECT {text};\nALTER TABEL x\n\n\n"
    with pytest.raises(postgresql.UnreadableError) as caught:
        postgresql.commands(scripts.Statement(sql, 7))
    assert caught.value.line == 8


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    effects.of([scripts.Statement(text, 1)])


def test_the_parser_is_loaded_without_the_rest_of_its_package() -> None:
    """The whole package takes a fifth of a second, at every check."""
    code = (
        "import sys\nfrom hanbae.migrations import postgresql, scripts\n"
        "assert 'ctypes' not in sys.modules\n"
        "postgresql.commands(scripts.Statement('SELECT 1', 1))\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'postgast', 'google'}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]"
    assert importlib.metadata.version("postgast")


def test_a_statement_that_several_files_have_is_parsed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines, commands = [], postgresql.commands

    def counted(statement: scripts.Statement) -> tuple[postgresql.Command, ...]:
        lines.append(statement.line)
        return commands(statement)

    monkeypatch.setattr(postgresql, "commands", counted)
    sql = "ALTER TABLE parsed_once ADD COLUMN c int"
    once, below = scripts.Statement(sql, 3), scripts.Statement(sql, 5)
    assert effects.of([once]) == effects.of([once])
    assert [effect.line for effect in effects.of([once, below])] == [3, 5]
    assert lines == [3, 5]
    long = scripts.Statement(f"{sql} /* {'-' * postgresql.LONGEST} */", 1)
    assert effects.of([long]) == effects.of([long])
    assert lines == [3, 5, 1, 1]
