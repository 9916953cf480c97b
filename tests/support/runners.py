"""Runs of hanbae-migrate: begun, watched and ended by tests."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from tests.support import polling
from tests.support.registries import Quiet

TABLE: Final = "public.goose_db_version"
LOCKS: Final = (4097083626, 5887940537704921958)
"""The locks of goose's session locker: from v3.26, and before."""
_HOLDER: Final = """
SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
 WHERE d.datname = %s AND l.locktype = 'advisory' AND l.granted AND l.objid::bigint = %s
"""
_WATCH: Final = """
SELECT pid FROM pg_stat_activity
 WHERE application_name LIKE 'hanbae-migrate@%% watch' AND datname = %s AND pid <> %s
"""


def program() -> str:
    """The program, built where it is not there."""
    from hanbae.sandbox import binaries

    return str(binaries.obtain(progress=Quiet()).path("hanbae-migrate"))


@dataclass(frozen=True)
class Ended:
    """What a run has left.

    Attributes:
        code: Its exit code.
        proof: Its line of JSON; empty where it has written none.
        log: What it said.
    """

    code: int
    proof: Mapping[str, Any]
    log: str


@dataclass
class Run:
    """A run that goes on beside the test."""

    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)
    _reader: threading.Thread | None = None

    def follow(self) -> Run:
        """Read what it says while it says it, unless somebody else does."""
        if self.process.stderr is None:
            return self
        self._reader = threading.Thread(
            target=self.log.extend, args=(self.process.stderr,), daemon=True
        )
        self._reader.start()
        return self

    def says(self, words: str, *, within: float = 20) -> str:
        """The first line with these words, as soon as there is one."""
        lines: list[str] = []

        def is_said() -> bool:
            lines[:] = [line for line in self.log if words in line]
            return bool(lines)

        polling.until(is_said, within=within, state=lambda: "".join(self.log))
        return lines[0]

    def ended(self, *, within: float = 30) -> Ended:
        """Wait for its end."""
        assert self.process.stdout is not None
        with self.process:
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
            if self._reader is not None:
                self._reader.join(within)
            line = self.process.stdout.read()
        return Ended(self.process.returncode, json.loads(line) if line else {}, "".join(self.log))


@dataclass(frozen=True)
class Place:
    """A database of its own with a folder of migrations."""

    server: str
    database: str
    folder: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.server.rpartition('/')[0]}/{self.database}"

    def created(self) -> Place:
        """Create the database."""
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.database}")
        return self

    def write(self, name: str, text: str) -> None:
        """Write a migration."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def begin(
        self,
        *arguments: str,
        url: str | None = None,
        log: int = subprocess.PIPE,
        **variables: str,
    ) -> Run:
        """Begin a run, ``up`` unless something else is asked for; its log goes to us, or to a descriptor."""
        environment = {
            "PATH": os.environ["PATH"],
            "GOOSE_DRIVER": "postgres",
            "GOOSE_DBSTRING": url or self.url,
        }
        words = [program(), "-env=none", "-dir", str(self.folder), "-table", TABLE]
        process = subprocess.Popen(
            [*words, *(arguments or ("up",))],
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        return Run(process).follow()

    def run(self, *arguments: str, url: str | None = None, **variables: str) -> Ended:
        """A whole run."""
        return self.begin(*arguments, url=url, **variables).ended()

    def execute(self, statements: str) -> None:
        """Change the database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statements.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def holder(self, *, within: float = 20) -> int:
        """The server's process that holds the lock, as soon as one does."""
        held: list[tuple[Any, ...]] = []

        def is_held() -> bool:
            with psycopg.connect(self.url) as connection:
                held[:] = connection.execute(_HOLDER, (self.database, LOCKS[0])).fetchall()
            return bool(held)

        polling.until(is_held, within=within)
        return int(held[0][0])

    def watch(self, *, other_than: int = 0, within: float = 20) -> int:
        """The server's process that a run watches its lock over, as soon as there is one."""
        rows: list[tuple[Any, ...]] = []

        def is_watched() -> bool:
            with psycopg.connect(self.url) as connection:
                rows[:] = connection.execute(_WATCH, (self.database, other_than)).fetchall()
            return bool(rows)

        polling.until(is_watched, within=within)
        return int(rows[0][0])

    def as_role(self, name: str, *, connections: int) -> str:
        """The database's address for a new role that may change it over so many connections."""
        self.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD 'of-{name}' CONNECTION LIMIT {connections};"
            f"GRANT ALL ON SCHEMA public TO {name}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"
        )
        return f"postgres://{name}:of-{name}@{self.url.partition('@')[2]}"

    def is_waiting(self, process: int) -> bool:
        """Whether a process of the server waits for somebody's lock."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT pg_blocking_pids(%s) <> '{}'", (process,)).fetchone()
        return bool(row and row[0])
