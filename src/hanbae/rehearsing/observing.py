"""What a migration does to others while it runs: the locks that it takes, and the tables that it writes anew.

Two witnesses. An event trigger notes, as each statement ends, what its own session has locked: nothing is too short
for it, but it knows no time and no statement that is no DDL. A second connection looks every quarter of a second, as
another session would be kept waiting: that gives the time.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from hanbae.rehearsing import servers
from hanbae.results import rehearsals

if TYPE_CHECKING:
    import psycopg

LOOK: Final = 0.25
"""Seconds between two looks of the second connection."""
BLOCKS: Final[Mapping[str, rehearsals.Blocks]] = MappingProxyType(
    {
        "AccessExclusiveLock": "reads and writes",
        "ExclusiveLock": "writes",
        "ShareRowExclusiveLock": "writes",
        "ShareLock": "writes",
    }
)
"""The modes that keep others waiting, the strongest first → what they cannot do. A locked row blocks that row alone."""

# `schemas` leaves this schema out of what it compares. The functions have a search_path of their
# own, since a migration may set another one.
_PREPARE: Final = """
CREATE SCHEMA hanbae_rehearsal;
CREATE TABLE hanbae_rehearsal.locks (number bigint GENERATED ALWAYS AS IDENTITY, tag text, relation oid, mode text);
CREATE TABLE hanbae_rehearsal.rewrites (relation oid);
CREATE FUNCTION hanbae_rehearsal.note_locks() RETURNS event_trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO hanbae_rehearsal.locks (tag, relation, mode) SELECT DISTINCT tg_tag, relation, mode FROM pg_locks
  WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted;
END $$;
CREATE FUNCTION hanbae_rehearsal.note_rewrite() RETURNS event_trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO hanbae_rehearsal.rewrites SELECT pg_event_trigger_table_rewrite_oid();
END $$;
CREATE EVENT TRIGGER hanbae_locks ON ddl_command_end EXECUTE FUNCTION hanbae_rehearsal.note_locks();
CREATE EVENT TRIGGER hanbae_rewrites ON table_rewrite EXECUTE FUNCTION hanbae_rehearsal.note_rewrite();
"""
_RELATIONS: Final = """
SELECT c.oid, n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'hanbae_rehearsal')
  AND c.relkind IN ('r', 'p', 'i', 'I', 'm') AND c.relname NOT LIKE 'goose_db_version%'
"""
_LOCKED: Final = """
SELECT DISTINCT relation, mode FROM pg_locks
WHERE locktype = 'relation' AND granted AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Witness:
    """What happens in one database.

    Args:
        server: The server.
        database: The database.

    Attributes:
        sees_statements: Whether the event triggers could be made, which takes a superuser, and no migration has dropped
            them with everything else.
    """

    def __init__(self, server: servers.Server, database: str) -> None:
        import psycopg

        self._server, self._database = server, database
        self._connection = servers.connect(server, database)
        try:
            self._connection.execute(_PREPARE)
            self.sees_statements = True
        except psycopg.Error:
            self.sees_statements = False

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    @contextmanager
    def watching(self) -> Iterator[_Noted]:
        """Watch one step; what was seen is complete when it is left."""
        import psycopg

        names = dict(self._connection.execute(_RELATIONS).fetchall())
        if self.sees_statements:
            self._connection.execute("TRUNCATE hanbae_rehearsal.locks, hanbae_rehearsal.rewrites")
        noted = _Noted(names)
        over = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(noted, over), daemon=True)
        sampler.start()
        try:
            yield noted
        finally:
            over.set()
            sampler.join()
        if self.sees_statements:
            try:
                noted.statements = self._connection.execute(
                    "SELECT tag, relation, mode FROM hanbae_rehearsal.locks ORDER BY number DESC"
                ).fetchall()
                rewrites = self._connection.execute(
                    "SELECT DISTINCT relation FROM hanbae_rehearsal.rewrites"
                )
                noted.rewrites = [row[0] for row in rewrites.fetchall()]
            except psycopg.errors.UndefinedTable:
                self.sees_statements = False

    def _sample(self, noted: _Noted, over: threading.Event) -> None:
        """Look again and again; a connection that ends, ends the looking."""
        import psycopg

        with contextlib.suppress(psycopg.Error), self._second() as connection:
            while not over.wait(LOOK):
                noted.samples.update(map(tuple, connection.execute(_LOCKED).fetchall()))

    def _second(self) -> psycopg.Connection[Any]:
        return servers.connect(self._server, self._database)


class _Noted:
    """What was noted of one step.

    Args:
        names: The relations that were there before it, by their oid: what it makes itself, nobody waits for.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self.statements: list[tuple[str, int, str]] = []  # the last one first
        self.rewrites: list[int] = []
        self.samples: Counter[tuple[int, str]] = Counter()

    @property
    def locks(self) -> tuple[rehearsals.Lock, ...]:
        """The strongest lock on each relation that keeps others waiting, by the name of what is locked."""
        # The first one has taken it: what comes later in the same transaction holds it as well.
        tags = {(oid, mode): tag for tag, oid, mode in self.statements}
        locks = dict.fromkeys(self.samples, "") | tags
        strongest: dict[int, rehearsals.Lock] = {}
        for mode, blocks in BLOCKS.items():
            for oid, _ in filter(lambda key: key[1] == mode, locks):
                if oid in self._names:
                    lock = rehearsals.Lock(
                        self._names[oid],
                        mode.removesuffix("Lock"),
                        blocks,
                        locks[oid, mode],
                        self.samples[oid, mode] * LOOK,
                    )
                    strongest.setdefault(oid, lock)
        return tuple(sorted(strongest.values(), key=lambda lock: lock.relation))

    @property
    def rewritten(self) -> tuple[str, ...]:
        """The tables whose rows were all written anew."""
        return tuple(sorted(self._names[oid] for oid in self.rewrites if oid in self._names))
