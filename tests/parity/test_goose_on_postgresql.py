"""What goose makes of a folder on a real PostgreSQL is what hanbae reads in it, and what hanbae-migrate makes of it."""

from __future__ import annotations

import itertools
import os
import queue
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import yaml
from psycopg import sql
from tests.support import runners
from tests.support.registries import Quiet

from hanbae import errors
from hanbae.migrations import goose_files, scripts, statuses
from hanbae.policy import connection_options, documents

CORPUS = Path(__file__).with_name("goose_files.yaml")
UNREADABLE = "failed to parse SQL migration file"
STATE = re.compile(r"SQLSTATE ([0-9A-Z]{5})")
RELATIONS = """
SELECT c.relname, c.relkind::text, i.indisvalid, pg_get_indexdef(i.indexrelid), pg_get_viewdef(c.oid),
       ARRAY(SELECT concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                              pg_get_expr(d.adbin, d.adrelid))
               FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid ORDER BY 1),
       ARRAY(SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
              WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY 1)
  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relnamespace = %(schema)s::regnamespace AND c.relname NOT LIKE 'goose_db_version%%'
   AND c.relname NOT LIKE 'hanbae_half_applied%%' ORDER BY 1
"""
ROUTINES = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace ORDER BY 1"


@dataclass(frozen=True)
class File:
    """One migration file of the corpus."""

    number: int
    name: str
    text: str
    refused: Mapping[str, Any] = field(default_factory=dict)
    lost: Sequence[int] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def corpus() -> Iterator[File]:
    for number, entry in enumerate(yaml.safe_load(CORPUS.read_text()), 1):
        yield File(number, **entry)


@pytest.fixture(scope="module")
def goose() -> str:
    from hanbae.sandbox import binaries

    return shutil.which("goose") or str(binaries.obtain(progress=Quiet()).path("goose"))


@dataclass(frozen=True)
class Database:
    """A schema of its own on the server, in which goose or hanbae works."""

    url: str
    schema: str

    def created(self) -> Database:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {self.schema}")
        return self

    def goose(
        self, program: str, folder: Path, command: str, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        variables = {
            "GOOSE_DRIVER": "postgres",
            "GOOSE_DBSTRING": f"{self.url}?search_path={self.schema}",
            "PATH": os.environ["PATH"],
        }
        table = f"{self.schema}.goose_db_version"
        return subprocess.run(
            [program, "-env=none", "-dir", str(folder), "-table", table, command],
            env=variables | env,
            check=False,
            capture_output=True,
            text=True,
        )

    def sent(self, statements: Sequence[scripts.Statement], *, transaction: bool) -> str:
        """The SQLSTATE with which the server refuses statements, one after the other; empty for none."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"SET search_path = {self.schema}")
            try:
                if transaction:
                    connection.execute("BEGIN")
                for statement in statements:
                    connection.execute(statement.text.encode())
                if transaction:
                    connection.execute("COMMIT")
            except psycopg.Error as error:
                return error.sqlstate or "?"
        return ""

    def contents(self) -> str:
        """Everything in the schema, in words that are the same in another one."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            about = {"schema": self.schema}
            connection.execute(f"SET search_path = {self.schema}")
            relations = connection.execute(RELATIONS, about).fetchall()
            lines = [str(row) for row in relations]
            lines += [str(row) for row in connection.execute(ROUTINES, about).fetchall()]
            for name, kind, *_ in relations:
                if kind in "rpm":
                    query = sql.SQL("SELECT r::text FROM {} AS r ORDER BY 1")
                    rows = connection.execute(query.format(sql.Identifier(name)))
                    lines.append(f"{name}: {rows.fetchall()}")
        return "\n".join(lines).replace(self.schema, "SCHEMA")

    def versions(self) -> list[int]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"SET search_path = {self.schema}")
            rows = connection.execute(
                "SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY 1"
            )
            return [row[0] for row in rows.fetchall()]


def outcome(ended: subprocess.CompletedProcess[str]) -> str:
    """``unread``, the SQLSTATE with which the server refused, or empty."""
    if UNREADABLE in ended.stderr:
        return "unread"
    states = STATE.findall(ended.stderr)
    return states[-1] if states else "" if ended.returncode == 0 else ended.stderr


def hidden(text: str, env: Mapping[str, str]) -> str:
    """What goose quotes of a statement, as the runner does: without the values of variables."""
    for value in filter(None, env.values()):
        text = text.replace(value, "***")
    return text


_LOST: Final = 4
"""The runner's exit code where the server does not answer its watch in time, as on a machine that is very busy."""


class TooSlowError(Exception):
    """The runner gave up what goose goes on with."""


@dataclass(frozen=True)
class Pair:
    """Goose and the runner, each in a schema of its own, asked for the same."""

    programs: tuple[str, str]
    databases: tuple[Database, Database]
    reported: list[str]

    def run(self, file: File, folder: Path, command: str) -> str:
        """What goose answers; what the runner answers otherwise is noted."""
        ended = [
            database.goose(program, folder, command, file.env)
            for program, database in zip(self.programs, self.databases, strict=True)
        ]
        if ended[1].returncode == _LOST:
            raise TooSlowError
        sides = (
            [outcome(run) for run in ended],
            [statuses.failure(hidden(run.stderr, file.env).splitlines()) for run in ended],
            [run.returncode for run in ended],
            [database.contents() for database in self.databases],
            [database.versions() for database in self.databases],
        )
        self.reported.extend(
            f"{file.name}: {command}: goose {of_goose!r}, the runner {of_runner!r}"
            for of_goose, of_runner in sides
            if of_goose != of_runner
        )
        return outcome(ended[0])


def differences(
    file: File, programs: tuple[str, str], url: str, folder: Path, attempt: int
) -> list[str]:
    """What goose does otherwise than hanbae reads it, and the runner otherwise than goose.

    Raises:
        TooSlowError: The machine did not let the runner go on; another attempt may.
    """
    own = folder / f"{file.number}-{attempt}"
    own.mkdir()
    schema = f"{file.number:04}{attempt}"
    data = file.text.encode()
    (own / f"{file.number:05}_x.sql").write_bytes(data)
    parsed = scripts.read(data, file.env)
    theirs = Database(url, f"g{schema}").created()
    ours = Database(url, f"h{schema}").created()
    reported: list[str] = []
    own_of_runner = Database(url, f"r{schema}").created()
    pair = Pair(programs, (theirs, own_of_runner), reported)

    def hold(about: str, of_goose: object, of_hanbae: object) -> None:
        if of_goose != of_hanbae:
            reported.append(f"{file.name}: {about}: goose {of_goose!r}, hanbae {of_hanbae!r}")

    fault = parsed.fault
    hold("lost", list(file.lost), list(parsed.lost))
    placed = {"kind": fault.kind, "line": fault.line, "part": fault.part} if fault else {}
    hold("fault", {"part": "", **file.refused} if file.refused else {}, placed)
    if fault is not None and fault.part != "down":
        hold("up", pair.run(file, own, "up"), "unread")
        hold("versions", theirs.versions(), [])
        return reported
    state = ours.sent(parsed.up, transaction=parsed.transaction)
    hold("up", pair.run(file, own, "up"), state)
    hold("after up", theirs.contents(), ours.contents())
    hold("versions", theirs.versions(), [] if state else [file.number])
    if state:
        return reported
    answer = pair.run(file, own, "down")
    if fault is not None:
        hold("down", answer, "unread")
        return reported
    hold("down", answer, ours.sent(parsed.down or (), transaction=parsed.transaction))
    hold("after down", theirs.contents(), ours.contents())
    return reported


def test_goose_and_the_runner_do_to_a_database_what_hanbae_reads(
    goose: str, server: str, tmp_path: Path
) -> None:
    every = list(corpus())
    refused = sum(bool(file.refused) for file in every)
    assert len(every) >= 120
    assert refused >= 40
    # The runner locks a database; so each thread has one.
    databases: queue.SimpleQueue[str] = queue.SimpleQueue()
    with psycopg.connect(server, autocommit=True) as connection:
        for number in range(4):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"own{number}")))
            databases.put(f"{server.rpartition('/')[0]}/own{number}")
    programs = (goose, runners.program())

    def compared(file: File) -> list[str]:
        url = databases.get()
        try:
            for attempt in itertools.count():
                try:
                    return differences(file, programs, url, tmp_path, attempt)
                except TooSlowError:
                    assert attempt < 3, "the server never answers the runner in time"
        finally:
            databases.put(url)

    with ThreadPoolExecutor(4) as pool:
        reported = pool.map(compared, every)
        differing = [line for lines in reported for line in lines]
    assert not differing, "\n".join(differing)


@pytest.mark.parametrize(("limit", "effect"), [("7s", "7s"), (None, "0")])
def test_goose_waits_for_locks_as_long_as_the_policy_lets_it(
    goose: str, server: str, tmp_path: Path, limit: str | None, effect: str
) -> None:
    options = connection_options.of(documents.Migrations(lock_timeout=limit))
    statement = "CREATE TABLE a AS SELECT current_setting('lock_timeout') AS lock_timeout;"
    (tmp_path / "00001_a.sql").write_text(f"-- +goose Up\n{statement}\n")
    database = Database(server, f"limit_{effect}").created()
    ended = database.goose(goose, tmp_path, "up", {connection_options.VARIABLE: options})
    assert ended.returncode == 0, ended.stderr
    assert f"({effect})" in database.contents()


@pytest.mark.parametrize(
    ("length", "fits"), [(4 * 1024 * 1024 - 1, True), (4 * 1024 * 1024, False)]
)
def test_a_line_that_does_not_fit_into_gooses_buffer_is_refused(
    goose: str, tmp_path: Path, length: int, fits: bool
) -> None:
    tail = "가'; --"
    line = "SELECT '" + "x" * (length - len("SELECT '") - len(tail.encode())) + tail
    data = f"-- +goose Up\n{line}\n".encode()
    (tmp_path / "00001_x.sql").write_bytes(data)
    ended = subprocess.run(
        [goose, "validate"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (ended.returncode == 0) is fits, ended.stderr[-300:]
    fault = scripts.read(data).fault
    assert (fault is None) is fits
    if fault is not None:
        assert (fault.kind, fault.line) == ("long-line", 2)


UP = "-- +goose Up\nSELECT 1;\n"
#: Folders, each with the versions that goose applies, or None where it does nothing at all.
FOLDERS: tuple[tuple[tuple[str, ...], list[int] | None], ...] = (
    (("00001_a.sql", "2_b.sql", "20261129101500_c.sql"), [1, 2, 20261129101500]),
    (("00010_b.sql", "9_a.sql"), [9, 10]),
    (("+3_a.sql", "00002_b_c_d.sql"), [2, 3]),
    (("1_.sql", "9223372036854775807_last.sql"), [1, 9223372036854775807]),
    (("00001_a.sql", "README.md", "00002_b.sql.orig", "00003_c.SQL"), [1]),
    (("00001_a.sql", "helper.go", "00002_b_test.go"), [1]),
    (("00001_a.sql", "init.sql"), None),
    (("00001_a.sql", "2.sql"), None),
    (("00001_a.sql", "0_b.sql"), None),
    (("00001_a.sql", "-2_b.sql"), None),
    (("00001_a.sql", "00002-b.sql"), None),
    (("00001_a.sql", "v2_b.sql"), None),
    (("00001_a.sql", "._00001_a.sql"), None),
    (("00001_a.sql", "9223372036854775808_b.sql"), None),
    (("00001_a.sql", f"{'9' * 200}_b.sql"), None),
    (("00001_a.sql", "1_b.sql"), None),
    (("00001_a.sql", "00001_b.go"), None),
    (("README.md",), None),
)


def test_goose_takes_from_a_folder_the_versions_that_hanbae_does(
    goose: str, server: str, tmp_path: Path
) -> None:
    for number, (names, versions) in enumerate(FOLDERS):
        own = tmp_path / str(number)
        own.mkdir()
        for name in names:
            (own / name).write_text(UP)
        database = Database(server, f"n{number:04}").created()
        ended = database.goose(goose, own, "up", {})
        try:
            taken: list[int] | None = list(goose_files.versions(names)) or None
        except errors.FileFault:
            taken = None
        assert taken == versions, names
        assert (ended.returncode == 0) is (versions is not None), (names, ended.stderr[-300:])
        applied = [
            version for line in ended.stderr.splitlines() if (version := statuses.applied(line))
        ]
        assert applied == (versions or []), ended.stderr[-300:]
        other = Database(server, f"o{number:04}").created()
        run = other.goose(runners.program(), own, "up", {})
        assert (run.returncode == 0) is (versions is not None), (names, run.stderr[-300:])
        assert versions is None or other.versions() == versions, names


def test_goose_stops_at_a_migration_in_go_that_hanbae_counts_as_one(
    goose: str, server: str, tmp_path: Path
) -> None:
    names = ("00001_a.sql", "00002_b.go", "00003_c.sql")
    for name in names:
        (tmp_path / name).write_text(UP)
    assert goose_files.versions(names) == (1, 2, 3)
    database = Database(server, "in_go").created()
    ended = database.goose(goose, tmp_path, "up", {})
    assert ended.returncode == 1
    assert "00002_b.go" in ended.stderr
    assert database.versions() == [1]
