"""The rules about a database in use, each over files that differ in the one thing that it goes by."""

from __future__ import annotations

import pytest
from tests.support.releases import project

from hanbae.rules import rulebook, views
from hanbae.rules.migrations import contract_steps, locking, statements, ways_back

M = "services/auth/migrations"
MODULES = (contract_steps, locking, statements, ways_back)
BARE = "-- +goose NO TRANSACTION\n"


def hits_of(code: str, *texts: str, timeout: str | None = None) -> list[str]:
    """What a rule finds in the files 00001, 00002 …: ``variant:line`` of the last one, else the file and the line."""
    assert MODULES
    files = {f"{M}/{number:05}_x.sql": text for number, text in enumerate(texts, 1)}
    lines = f"migrations: {{lock_timeout: {timeout}}}\n" if timeout is not None else ""
    view = project(files, policy=lines)
    hits = rulebook.rules()[code].check(views.Service(view, "auth"))
    last = f"{M}/{len(texts):05}_x.sql"
    return [
        f"{hit.variant}:{hit.place.line}"
        if hit.place.file == last
        else f"{hit.place.file}:{hit.place.line}"
        for hit in hits
    ]


def up(sql: str, down: str = "SELECT 1;", before: str = "") -> str:
    return f"{before}-- +goose Up\n{sql}\n-- +goose Down\n{down}\n"


@pytest.mark.parametrize(
    ("sql", "hits"),
    [
        ("ALTER TABLE a ADD COLUMN b int NOT NULL;", [":2"]),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0;", []),
        ("ALTER TABLE a ADD COLUMN b int;", []),
        ("CREATE TABLE a (n int);\nALTER TABLE a ADD COLUMN b int NOT NULL;", []),
    ],
)
def test_a_required_column_without_a_value(sql: str, hits: list[str]) -> None:
    assert hits_of("MIG029", up(sql)) == hits


@pytest.mark.parametrize(
    ("sql", "hits"),
    [
        ("CREATE INDEX i ON a (n);", ["created:3"]),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON a (n);", []),
        ("DROP INDEX i;", ["dropped:3"]),
        ("DROP INDEX CONCURRENTLY i;", []),
        ("REINDEX INDEX i;", ["rebuilt:3"]),
        ("REINDEX INDEX CONCURRENTLY i;", []),
        ("CREATE TABLE a (n int);\nCREATE INDEX i ON a (n);", []),
    ],
)
def test_an_index_that_keeps_others_waiting(sql: str, hits: list[str]) -> None:
    assert hits_of("MIG030", up(sql, before=BARE)) == hits


@pytest.mark.parametrize(
    ("sql", "hits"),
    [
        ("ALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid();", ["column:3"]),
        ("ALTER TABLE a ADD COLUMN b int DEFAULT 7;", []),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint;", []),  # MIG010 says it
        ("VACUUM FULL a;", [":3"]),
        ("CREATE TABLE a (n int);\nALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid();", []),
    ],
)
def test_a_table_that_is_written_anew(sql: str, hits: list[str]) -> None:
    assert hits_of("MIG031", up(sql, before=BARE)) == hits


@pytest.mark.parametrize(
    ("sql", "hits"),
    [
        ("ALTER TABLE a ADD CONSTRAINT c CHECK (n > 0);", [":2"]),
        ("ALTER TABLE a ADD CONSTRAINT c CHECK (n > 0) NOT VALID;", []),
        ("ALTER TABLE a VALIDATE CONSTRAINT c;", []),
        ("ALTER TABLE a ALTER COLUMN n SET NOT NULL;", ["scan:2"]),
        ("ALTER TABLE a ADD CONSTRAINT u UNIQUE (n);", [":2"]),
        ("CREATE INDEX i ON a (n);", []),  # MIG030 says it
        ("CREATE TABLE a (n int);\nALTER TABLE a ADD CONSTRAINT c CHECK (n > 0);", []),
        (
            "CREATE TABLE IF NOT EXISTS a (n int);\nALTER TABLE a ADD CONSTRAINT c CHECK (n > 0);",
            [],
        ),
    ],
)
def test_rows_that_are_looked_at_under_a_lock(sql: str, hits: list[str]) -> None:
    assert hits_of("MIG032", up(sql)) == hits


LOCKS = "ALTER TABLE a ADD COLUMN b int;\nALTER TABLE c ADD COLUMN b int;"


@pytest.mark.parametrize(
    ("sql", "timeout", "hits"),
    [
        (LOCKS, None, []),
        (LOCKS, "5s", [":2"]),  # the first one of the file
        (f"SET LOCAL lock_timeout = '5s';\n{LOCKS}", "5s", []),
        (f"SET LOCAL lock_timeout = 0;\n{LOCKS}", None, ["zero:3"]),
        (f"SET lock_timeout = '0';\n{LOCKS}", "5s", ["zero:3"]),
        ("INSERT INTO a VALUES (1);", "5s", []),
    ],
)
def test_a_wait_without_an_end(sql: str, timeout: str | None, hits: list[str]) -> None:
    assert hits_of("MIG033", up(sql), timeout=timeout) == hits


def test_a_local_timeout_is_none_outside_a_transaction() -> None:
    local = f"SET LOCAL lock_timeout = '5s';\n{LOCKS}"
    assert hits_of("MIG033", up(local, before=BARE), timeout="5s") == [":4"]
    session = local.replace(" LOCAL", "")
    assert hits_of("MIG033", up(session, before=BARE), timeout="5s") == []


@pytest.mark.parametrize(
    ("sql", "down", "hits"),
    [
        ("CREATE TABLE a (n int);", "DROP TABLE a;", []),
        ("CREATE TABLE a (n int);", "DROP TABLE app.a;", []),
        ("CREATE TABLE IF NOT EXISTS a (n int);", "DROP TABLE b;", []),
        ("CREATE TABLE a (n int);", "ALTER TABLE a RENAME TO b;", []),
        ("CREATE TABLE a (n int);", "DROP TABLE b;", ["table:2"]),
        ("ALTER TABLE a ADD COLUMN b int;", "ALTER TABLE a DROP COLUMN b;", []),
        ("ALTER TABLE a ADD COLUMN b int;", "ALTER TABLE a DROP COLUMN c;", ["column:2"]),
        ("ALTER TABLE a ADD COLUMN b int;", "ALTER TABLE c DROP COLUMN b;", ["column:2"]),
        ("ALTER TABLE a ADD COLUMN IF NOT EXISTS b int;", "SELECT 1;", []),
        ("ALTER TABLE a ADD COLUMN b int;", "DROP TABLE a;", []),
        ("CREATE INDEX i ON a (n);", "DROP INDEX i;", []),
        ("CREATE INDEX i ON a (n);", "DROP INDEX app.i;", []),
        ("CREATE INDEX i ON a (n);", "DROP INDEX j;", ["index:2"]),
        ("CREATE INDEX ON a (n);", "DROP INDEX a_n_idx;", []),
        ("CREATE INDEX i ON a (n);", "ALTER TABLE a DROP COLUMN n;", []),
        ("CREATE INDEX i ON a (n);", "ALTER TABLE b DROP COLUMN n;", ["index:2"]),
        ("CREATE TABLE a (n int);", "DO $$ BEGIN DROP TABLE a; END $$;", []),
        ("DROP TABLE a;", "CREATE TABLE a (n int);", []),
    ],
)
def test_what_down_leaves_behind(sql: str, down: str, hits: list[str]) -> None:
    assert hits_of("MIG034", up(sql, down)) == hits


def test_a_file_without_a_way_back_leaves_that_to_another_rule() -> None:
    assert hits_of("MIG034", "-- +goose Up\nCREATE TABLE a (n int);\n") == []
    assert hits_of("MIG029", "-- +goose Up\nALTER TABLE a ADD COLUMN b int NOT NULL\n") == []


FIRST = up("CREATE TABLE a (n int);", "DROP TABLE a;")


@pytest.mark.parametrize(
    ("mark", "sql", "hits"),
    [
        ("-- hanbae: contract after 00001\n", "ALTER TABLE a DROP COLUMN n;", []),
        ("-- hanbae: contract\n", "ALTER TABLE a DROP COLUMN n;", ["nothing-named:1"]),
        ("-- hanbae: contract after 00002\n", "ALTER TABLE a DROP COLUMN n;", ["not-earlier:1"]),
        ("-- hanbae: contract after 00003\n", "ALTER TABLE a DROP COLUMN n;", ["not-earlier:1"]),
        ("-- hanbae: contract after 00000\n", "ALTER TABLE a DROP COLUMN n;", ["not-earlier:1"]),
        (
            "-- hanbae: contract after 00001\n",
            "ALTER TABLE a ADD COLUMN b int;",
            ["takes-nothing:1"],
        ),
        ("", "ALTER TABLE a DROP COLUMN n;", []),
    ],
)
def test_a_contract_step_that_announces_nothing(mark: str, sql: str, hits: list[str]) -> None:
    assert hits_of("MIG036", FIRST, up(sql, before=mark)) == hits


@pytest.mark.parametrize(
    ("mark", "sql", "hits"),
    [
        ("", "ALTER TABLE a DROP COLUMN n;", 1),
        ("-- hanbae: contract after 00001\n", "ALTER TABLE a DROP COLUMN n;", 0),
        ("-- hanbae: contract after 00009\n", "ALTER TABLE a DROP COLUMN n;", 1),
        ("-- hanbae: contract after 00001\n", "DELETE FROM a;", 1),
        ("", "CREATE TABLE b (n int);\nALTER TABLE b DROP COLUMN n;", 0),
        ("", "CREATE TABLE IF NOT EXISTS a (n int);\nALTER TABLE a DROP COLUMN n;", 1),
        ("", "DROP TABLE a;\nCREATE TABLE a (n int);", 1),
    ],
)
def test_what_is_taken_away_is_told_unless_it_is_announced(mark: str, sql: str, hits: int) -> None:
    assert len(hits_of("MIG010", FIRST, up(sql, before=mark))) == hits


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        (up("CREATE TABLE a (n int);\nCREATE INDEX CONCURRENTLY i ON a (n);", before=BARE), 1),
        (up("CREATE TABLE a (n int);\nCREATE TABLE b (n int);"), 0),
        (up("CREATE TABLE IF NOT EXISTS a (n int);\nCREATE TABLE b (n int);", before=BARE), 0),
        (up("CREATE TABLE b (n int);", before=BARE), 0),
    ],
)
def test_several_statements_outside_a_transaction(text: str, hits: int) -> None:
    assert len(hits_of("MIG009", text)) == hits


REQUIRED = "ALTER TABLE a ADD COLUMN b int NOT NULL;"


@pytest.mark.parametrize(
    ("sql", "hits"),
    [
        (f"{REQUIRED}\nSELECT 1;", [":2"]),
        (f"{REQUIRED}\nSELECT 1", []),  # goose refuses the file, and MIG006 says so
        (f"{REQUIRED}\nCREATE TABLE c (n int AUTO_INCREMENT);", []),  # it is for MySQL
    ],
)
def test_only_what_goose_runs_on_postgresql_is_judged(sql: str, hits: list[str]) -> None:
    assert hits_of("MIG029", up(sql)) == hits
