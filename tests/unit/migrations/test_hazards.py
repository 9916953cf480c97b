from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.migrations import hazards, scripts


def losses(sql: str) -> list[tuple[str, int]]:
    return [(loss.loss, loss.line) for loss in hazards.losses((scripts.Statement(sql, 1),))]


@pytest.mark.parametrize(
    ("sql", "loss"),
    [
        ("drop table if exists a;", "drop"),
        ("DROP SCHEMA a CASCADE;", "drop"),
        ("TRUNCATE a;", "truncate"),
        ("DELETE FROM a;", "delete"),
        ("ALTER TABLE a DROP COLUMN b;", "column"),
        ("ALTER TABLE a DROP b;", "column"),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint;", "type"),
        ("ALTER TABLE a ALTER b SET DATA TYPE bigint;", "type"),
        ("ALTER TYPE a RENAME VALUE 'x' TO 'y';", "type"),
        ("ALTER TABLE a RENAME TO b;", "rename"),
        ("ALTER TABLE a RENAME COLUMN b TO c;", "rename"),
        ("DO $$ BEGIN DROP TABLE a; END $$;", "drop"),
        ("DO $$\nBEGIN\nIF x THEN\nDROP TABLE a;\nEND IF; END $$;", "drop"),
        ("/* why */ DO $$ BEGIN DROP TABLE a; END $$;", "drop"),
        ("/* why */ -- and\nDO $$ BEGIN DROP TABLE a; END $$;", "drop"),
    ],
)
def test_what_takes_away_is_found(sql: str, loss: str) -> None:
    assert [kind for kind, _ in losses(sql)] == [loss]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM a WHERE b;",
        "ALTER TABLE a ADD COLUMN b text;",
        "ALTER TABLE a DROP   CONSTRAINT b;",
        "ALTER TABLE a ALTER COLUMN b DROP NOT NULL, ALTER c DROP DEFAULT;",
        "ALTER TABLE a RENAME  CONSTRAINT b TO c;",
        "ALTER TYPE a ADD VALUE 'x';",
        "INSERT INTO a VALUES ('x; DROP TABLE a;');",
        "INSERT INTO a VALUES (E'it\\'s; DROP TABLE a;');",
        "CREATE FUNCTION f() AS $b$ BEGIN; DROP TABLE a; END $b$;",
        "SELECT 1; -- DROP TABLE a;",
        "SELECT 1; /* \nDROP TABLE a; */",
    ],
)
def test_what_takes_nothing_away_is_not(sql: str) -> None:
    assert losses(sql) == []


def test_each_statement_has_its_own_line() -> None:
    assert losses("SELECT 1;\n\nDROP TABLE a; DROP TABLE b;\nTRUNCATE c;") == [
        ("drop", 3),
        ("drop", 3),
        ("truncate", 4),
    ]


@pytest.mark.parametrize("comment", ["", "-- why\n", "/* why */ "])
def test_the_statements_of_a_block_are_not_run_together_behind_a_comment(comment: str) -> None:
    sql = f"{comment}DO $$ BEGIN IF x THEN\nUPDATE a SET b = 1;\nELSE\nUPDATE c SET b = 1;\nEND IF; END $$;"
    assert list(hazards.run_together(scripts.Statement(sql, 1))) == []


@pytest.mark.parametrize(
    ("sql", "alone"),
    [
        ("CREATE UNIQUE INDEX CONCURRENTLY a ON b (c)", True),
        ("drop index concurrently a", True),
        ("REINDEX TABLE CONCURRENTLY a", True),
        ("VACUUM a", True),
        ("CREATE DATABASE a", True),
        ("CREATE INDEX a ON b (c)", False),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY a", False),
    ],
)
def test_what_cannot_be_in_a_transaction(sql: str, alone: bool) -> None:
    assert hazards.alone(sql) is alone


@pytest.mark.parametrize(
    ("sql", "again"),
    [
        ("CREATE TABLE IF NOT EXISTS a ()", True),
        ("DROP INDEX CONCURRENTLY IF EXISTS a", True),
        ("CREATE OR REPLACE VIEW a AS SELECT 1", True),
        ("INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING", True),
        ("INSERT INTO a VALUES (1)", False),
        ("ALTER TABLE a ADD COLUMN b text", False),
        ("UPDATE a SET b = b + 1", False),
    ],
)
def test_what_can_run_again(sql: str, again: bool) -> None:
    assert hazards.repeatable(sql) is again


@given(st.text(alphabet="DROP TABLE;'$-/*aE\\\n", max_size=300))
def test_blanking_out_keeps_every_line(sql: str) -> None:
    shown = hazards.shown(sql)
    assert len(shown) == len(sql)
    assert shown.count("\n") == sql.count("\n")


@pytest.mark.parametrize("unit", ["/*", "'", "$a$", "a;", "ALTER ", "DROP ", "E'\\", "--", "$"])
def test_large_and_hostile_texts_take_linear_time(unit: str) -> None:
    # Quadratic work on this much would not end within the hour; the result is what can be asserted.
    text = unit * (1_000_000 // len(unit))
    assert isinstance(list(hazards.losses((scripts.Statement(text, 1),))), list)
