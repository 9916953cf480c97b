"""The locks and rewrites that hanbae announces are those that a real PostgreSQL shows while the statement runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from hanbae.migrations import effects, locks, scripts
from hanbae.rehearsing import observing

SCHEMA = """
CREATE TABLE other (id bigint PRIMARY KEY);
CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, c timestamptz);
CREATE TABLE parent (id int, k int) PARTITION BY LIST (k);
CREATE TABLE part (id int, k int);
CREATE TABLE parent_1 PARTITION OF parent FOR VALUES IN (1);
CREATE INDEX t_by_a ON t (a);
CREATE UNIQUE INDEX t_one_b ON t (b);
ALTER TABLE t ADD CONSTRAINT small CHECK (a < 1000) NOT VALID;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE VIEW v AS SELECT id FROM other;
INSERT INTO t SELECT i, i, i::text, now() FROM generate_series(1, 50) AS i;
"""
#: A statement, and the table that is looked at.
STATEMENTS = (
    ("ALTER TABLE t ADD COLUMN x int", "t"),
    ("ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 5", "t"),
    ("ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now()", "t"),
    ("ALTER TABLE t ADD COLUMN x date DEFAULT current_date", "t"),
    ("ALTER TABLE t ADD COLUMN x text DEFAULT lower('A') || 'b'", "t"),
    ("ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid()", "t"),
    ("ALTER TABLE t ADD COLUMN x timestamptz DEFAULT clock_timestamp()", "t"),
    ("ALTER TABLE t ADD COLUMN x float DEFAULT random()", "t"),
    ("ALTER TABLE t ADD COLUMN x bigserial", "t"),
    ("ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS IDENTITY", "t"),
    ("ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a * 2) STORED", "t"),
    ("ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a * 2) VIRTUAL", "t"),
    ("ALTER TABLE t ADD COLUMN x bigint REFERENCES other", "t"),
    ("ALTER TABLE t ADD COLUMN x bigint REFERENCES other", "other"),
    ("ALTER TABLE t DROP COLUMN a", "t"),
    ("ALTER TABLE t ALTER COLUMN a TYPE bigint", "t"),
    ("ALTER TABLE t ALTER COLUMN a SET DEFAULT 3", "t"),
    ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "t"),
    ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", "t"),
    ("ALTER TABLE t ALTER COLUMN a SET STATISTICS 200", "t"),
    ("ALTER TABLE t SET (fillfactor = 70)", "t"),
    ("ALTER TABLE t SET UNLOGGED", "t"),
    ("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)", "t"),
    ("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID", "t"),
    ("ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES other NOT VALID", "t"),
    ("ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES other NOT VALID", "other"),
    ("ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)", "t"),
    ("ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX t_one_b", "t"),
    ("ALTER TABLE t VALIDATE CONSTRAINT small", "t"),
    ("ALTER TABLE t DROP CONSTRAINT small", "t"),
    ("ALTER TABLE t RENAME COLUMN a TO z", "t"),
    ("ALTER TABLE t RENAME TO z", "t"),
    ("ALTER TABLE t RENAME CONSTRAINT small TO tiny", "t"),
    ("ALTER TABLE t DISABLE TRIGGER tr", "t"),
    ("ALTER TABLE parent ATTACH PARTITION part FOR VALUES IN (2)", "parent"),
    ("ALTER TABLE parent ATTACH PARTITION part FOR VALUES IN (2)", "part"),
    ("ALTER TABLE parent DETACH PARTITION parent_1", "parent"),
    ("CREATE TABLE part_3 PARTITION OF parent FOR VALUES IN (3)", "parent"),
    ("CREATE TABLE heir () INHERITS (t)", "t"),
    ("CREATE TABLE n (id bigint REFERENCES other)", "other"),
    ("CREATE INDEX i ON t (b)", "t"),
    ("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "t"),
    ("DROP TRIGGER tr ON t", "t"),
    ("DROP TABLE t CASCADE", "t"),
    ("TRUNCATE t", "t"),
    ("UPDATE t SET a = 1", "t"),
    ("DELETE FROM t WHERE a = 1", "t"),
    ("INSERT INTO t VALUES (99)", "t"),
    ("LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE", "t"),
    ("LOCK TABLE t", "t"),
    ("REINDEX TABLE t", "t"),
    ("CLUSTER t USING t_pkey", "t"),
    ("REFRESH MATERIALIZED VIEW m", "m"),
    ("CREATE OR REPLACE VIEW v AS SELECT id FROM other WHERE id > 1", "v"),
)
HELD = """
SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = %s
"""
NAMES = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}


@pytest.fixture(scope="module")
def connection(server: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server, autocommit=True) as connection:
        # A run on several cores may come back to this module while the server still has what it made.
        connection.execute("DROP SCHEMA IF EXISTS locks CASCADE")
        connection.execute("CREATE SCHEMA locks")
        connection.execute("SET search_path = locks")
        connection.execute(SCHEMA)
        yield connection


@pytest.mark.parametrize(("sql", "table"), STATEMENTS)
def test_postgresql_takes_the_announced_lock_and_rewrites_what_is_said_to_be(
    connection: psycopg.Connection[Any], sql: str, table: str
) -> None:
    announced = [
        effect for effect in effects.of([scripts.Statement(f"{sql};", 1)]) if effect.table == table
    ]
    connection.execute("BEGIN")
    try:
        row = connection.execute("SELECT %s::regclass::oid", (table,)).fetchone()
        assert row is not None
        before = _filenode(connection, row[0])
        connection.execute(sql.encode())
        modes = {NAMES[mode] for (mode,) in connection.execute(HELD, (row[0],)).fetchall()}
        after = _filenode(connection, row[0])
    finally:
        connection.execute("ROLLBACK")
    strongest = max(modes, key=list(NAMES.values()).index)
    assert [effect.lock for effect in announced] == [strongest]
    if not sql.startswith(("DROP TABLE", "TRUNCATE")):
        assert (announced[0].work == "rewrite") is (before != after)


NOTICED = (
    ("all", "SELECT FROM t"),
    ("writes", "DELETE FROM t WHERE false"),
    ("ddl", "ALTER TABLE t ALTER COLUMN a SET STATISTICS 100"),
)
"""What a lock keeps others from, the most first, and a statement that then waits."""


@pytest.mark.parametrize("mode", NAMES)
def test_others_wait_for_a_lock_as_it_is_said(
    connection: psycopg.Connection[Any], server: str, mode: str
) -> None:
    lock = NAMES[mode]
    kept = [blocked for blocked, sql in NOTICED if _waits(connection, server, lock, sql)]
    strongest = kept[0] if kept else "nothing"
    announced = locks.blocked(lock)  # type: ignore[arg-type]
    assert {"rows": "nothing"}.get(announced, announced) == strongest
    assert locks.queues(lock) is (strongest in {"all", "writes"})  # type: ignore[arg-type]
    shown = {"reads and writes": "all", "writes": "writes"}.get(observing.BLOCKS.get(mode, ""))
    assert shown == (strongest if strongest in {"all", "writes"} else None)


def _waits(connection: psycopg.Connection[Any], server: str, lock: str, sql: str) -> bool:
    """Whether a statement of another session waits while a lock is held."""
    options = "-c search_path=locks -c lock_timeout=200"
    with psycopg.connect(server, autocommit=True, options=options) as other:
        connection.execute("BEGIN")
        try:
            connection.execute(f"LOCK TABLE t IN {lock} MODE".encode())
            other.execute(sql.encode())
        except psycopg.errors.LockNotAvailable:
            return True
        finally:
            connection.execute("ROLLBACK")
    return False


def _filenode(connection: psycopg.Connection[Any], relation: int) -> object:
    row = connection.execute("SELECT pg_relation_filenode(%s)", (relation,)).fetchone()
    return row[0] if row else None
