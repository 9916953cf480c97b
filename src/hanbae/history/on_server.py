"""A history on a PostgreSQL server, for teams and for CI.

psycopg comes with the extra ``postgresql`` and is imported when a history is on a server.

A connection can be lost at any moment. What was not committed is done again on a new one; of a commit of which nobody
learned whether it was made, the work itself sees it when it is run again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from hanbae import errors, excerpts, patterns, subjects
from hanbae.history import locations, protocol, schemas, server_schemas, servers

if TYPE_CHECKING:
    import psycopg

_ADDING: Final = 0x68616E63
"""Class of the advisory locks by which writers of one deployment wait for each other."""
_DRIVING: Final = 0x68616E64
"""Class of the advisory locks of those who drive a deployment."""
_CHANNEL: Final = "hanbae"
_AGAIN: Final = 0.2
"""Seconds until a lost connection is tried anew."""
# pg_catalog first: whoever owns the schema could make functions of the same names in it, and have others run them.
_SESSION: Final = """
SET search_path = pg_catalog, hanbae;
SET synchronous_commit = on;
SET lock_timeout = '30s';
SET statement_timeout = '60s'
"""
_VALUE: Final = patterns.lazy(r":([a-z_0-9]+)")
_LONGEST: Final = 300


class Database:
    """A PostgreSQL database; see :class:`hanbae.history.protocol.Database`.

    Args:
        server: Where it is.

    Raises:
        hanbae.errors.Lacking: psycopg is not installed.
        hanbae.errors.Unreachable: The server does not answer, or refuses us.
        hanbae.errors.FileFault: It is another program's, or written by a newer hanbae.
    """

    def __init__(self, server: servers.Server) -> None:
        self.place = subjects.Place(server.name)
        self.address = server.address
        self._server = server
        # Reentrant: `watching` holds it while it calls `_persistently`, which takes it as well.
        self._lock = threading.RLock()
        self._driven: list[str] = []
        self._listener: psycopg.Connection[Any] | None = None
        self._authorities = ""
        with self._translated():
            self._connection = self._connect()
            try:
                server_schemas.migrate(self._connection)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._connection.close()
            if self._listener is not None:
                self._listener.close()

    def rows(self, query: str, values: Mapping[str, object]) -> protocol.Rows:
        """What a query yields."""
        return self._persistently(lambda connection: _execute(connection, query, values))

    def transaction(
        self, work: Callable[[protocol.Execute], protocol.T], *, deployment: str
    ) -> protocol.T:
        """Run statements while nobody else writes to a deployment; followers are told of the commit."""

        def attempt(connection: psycopg.Connection[Any]) -> protocol.T:
            with connection.transaction():
                connection.execute(
                    "SELECT pg_advisory_xact_lock(%s, %s)", (_ADDING, _number(deployment))
                )
                result = work(lambda query, values: _execute(connection, query, values))
                # Listeners are told at the commit, and of a transaction that was taken back
                # nothing.
                connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, deployment))
                return result

        return self._persistently(attempt)

    @contextmanager
    def watching(self, deployment: str) -> Iterator[None]:
        """Mark a deployment as driven by this process, by a lock that the server lets go of when the process ends."""
        with self._lock:
            # Noted first: a connection that is made anew takes the locks of all that are noted.
            self._driven.append(deployment)
            with contextlib.suppress(errors.Error):
                self._persistently(lambda connection: _drive(connection, deployment))
        try:
            yield
        finally:
            with self._lock, contextlib.suppress(errors.Error):
                # Taken out first: a connection that is made anew meanwhile must not take the lock
                # again.
                self._driven.remove(deployment)
                self._persistently(lambda connection: _leave(connection, deployment))

    def is_watched(self, deployment: str) -> bool:
        """Whether a process anywhere drives a deployment."""
        # pg_locks has a lock of two keys as classid and objid, with 2 as objsubid, and the keys
        # without a sign.
        query = (
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_catalog.pg_database"
            " WHERE datname = current_database())"
            " AND classid = :class AND objid = :number AND objsubid = 2 AND granted)"
        )
        values = {"class": _DRIVING, "number": _number(deployment) % 2**32}
        ((is_watched,),) = self.rows(query, values)
        return bool(is_watched)

    def wait(self, seconds: float) -> None:
        """Wait for the server to tell that an event was added."""
        import psycopg

        try:
            if self._listener is None:
                self._listener = self._connect()
                self._listener.execute(f"LISTEN {_CHANNEL}".encode())
                return  # what was added before somebody listened is not told
            for _ in self._listener.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            # The next call makes another one, and returns at once so that its caller looks.
            if self._listener is not None:
                self._listener.close()
            self._listener = None
            time.sleep(min(seconds, _AGAIN))

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            import psycopg
        except ImportError as error:
            raise errors.Lacking("history.needs-extra") from error
        own = os.environ.get(locations.VARIABLE)
        own_word = locations.resolve(own, os.environ) if own else None
        words = servers.options(
            self._server, own_word if isinstance(own_word, servers.Server) else None, os.environ
        )
        self._authorities = str(words.get("sslrootcert", ""))
        # No prepared statements: between us and the server may be a pool that hands sessions around.
        connection = psycopg.connect(autocommit=True, prepare_threshold=None, **words)  # type: ignore[arg-type]
        try:
            connection.execute(_SESSION.encode())
        except BaseException:
            connection.close()
            raise
        return connection

    def _persistently(self, work: Callable[[psycopg.Connection[Any]], protocol.T]) -> protocol.T:
        """Do work, again as long as the server is only away for a moment."""
        import psycopg

        until = time.monotonic() + protocol.BUSY
        with self._lock, self._translated():
            while True:
                try:
                    return work(self._present())
                except psycopg.OperationalError as error:
                    # An error on a connection that is in order is the statement's own, and would
                    # only come again.
                    if not _is_lost(error) or time.monotonic() > until:
                        raise
                    self._connection.close()
                    time.sleep(_AGAIN)

    def _present(self) -> psycopg.Connection[Any]:
        """The connection, made anew where it was lost, with the locks that it held."""
        if self._connection.closed:
            self._connection = self._connect()
            for deployment in self._driven:
                _drive(self._connection, deployment)
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The server's failures as ours."""
        try:
            import psycopg
        except ImportError as error:
            raise errors.Lacking("history.needs-extra") from error
        try:
            yield
        except schemas.Newer:
            raise errors.FileFault("history.newer", place=self.place) from None
        except psycopg.Error as error:
            raise _translation(error, self._server.name, self._authorities) from None


def _execute(
    connection: psycopg.Connection[Any], query: str, values: Mapping[str, object]
) -> protocol.Rows:
    """Run a statement whose values are written as SQLite has them."""
    cursor = connection.execute(_VALUE.sub(r"%(\1)s", query).encode(), values)
    return cursor.fetchall() if cursor.description else []


def _drive(connection: psycopg.Connection[Any], deployment: str) -> None:
    connection.execute(
        "SELECT pg_try_advisory_lock_shared(%s, %s)", (_DRIVING, _number(deployment))
    )


def _leave(connection: psycopg.Connection[Any], deployment: str) -> None:
    connection.execute("SELECT pg_advisory_unlock_shared(%s, %s)", (_DRIVING, _number(deployment)))


def _number(deployment: str) -> int:
    """A deployment as the server's locks count: 32 bits with a sign. Two of one number only wait for each other."""
    return zlib.crc32(deployment.encode()) - 2**31


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Whether the connection is gone, or the server is being stopped, started, or replaced by its standby."""
    # libpq's own failures have no state. 57P01 and 57P02: the server is stopped, by its
    # administrator or after a crash; 57P03: it takes no connections yet; class 08: the connection.
    state = error.sqlstate or ""
    return not state or state[:2] == "08" or state in {"57P01", "57P02", "57P03"}


# By PostgreSQL's own names: disk_full, insufficient_privilege, invalid_authorization_specification,
# invalid_password, duplicate_table, lock_not_available (by lock_timeout) and query_canceled (by
# statement_timeout).
_STATES: Final[Mapping[str, tuple[type[errors.Error], str]]] = {
    "53100": (errors.Unreachable, "history.full"),
    "42501": (errors.Forbidden, "history.no-right"),
    "28000": (errors.Forbidden, "history.not-let-in"),
    "28P01": (errors.Forbidden, "history.not-let-in"),
    "42P07": (errors.Refused, "history.foreign-tables"),
    "55P03": (errors.Unreachable, "history.server-busy"),
    "57014": (errors.Unreachable, "history.server-busy"),
}


_UNPROVEN: Final = (
    ("certificate verify failed", "history.untrusted"),
    # An authority that was made anew under its name: what it has signed is looked for, and does not fit its key.
    ("signature failure", "history.untrusted"),
    ("does not match host name", "history.other-host"),
    ("does not support SSL", "history.without-tls"),
    ("root certificate file", "history.no-authorities"),
)
"""Words of libpq's → what they mean: before the server has proven who it is, there is no code, and nothing is sent."""


def _translation(error: psycopg.Error, server: str, authorities: str) -> errors.Error:
    """What a failure of the server's means, by its code (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
    kind, text_id = _STATES.get(error.sqlstate or "", (errors.Unreachable, "history.away"))
    words = str(error)
    if error.sqlstate is None:
        unproven = (name for part, name in _UNPROVEN if part in words)
        text_id = next(unproven, text_id)
    if text_id != "history.away":
        words = words.rpartition(" failed: ")[2]  # before that is the address, which is said anyway
    why = excerpts.one_line(words, _LONGEST)
    return kind(text_id, server=server, why=why, authorities=authorities)
