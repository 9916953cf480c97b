"""The store of events: what it has returned from, it has on the disk.

The live view, ``attach`` and the proof of what happened all stand on this: an event is shown only after `append` has
returned, and a machine that loses power in the next moment still has it.
Several processes write at once; each deployment's events are numbered without gaps.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from hanbae import errors, files, foreign_json, subjects
from hanbae.history import databases, locations, schemas
from hanbae.results import deployments, events, plans

Event = events.Event
Deployment = deployments.Deployment

_T = TypeVar("_T")
# Facts that do not change what a deployment adds up to, and of which there are thousands.
_NARRATION: Final = ("Logged", "Observed")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def encode(event: Event) -> str:
    """An event as it is stored: msgspec's JSON."""
    return msgspec.json.encode(event).decode()


def decode(text: str) -> Event:
    """An event from what is stored.

    Raises:
        hanbae.foreign_json.Fault: It is no event that this hanbae knows.
    """
    return foreign_json.decode(text, Event)


def open_store(url: str = "sqlite") -> Store:
    """Open a history, make it if it is not there, bring it up to date if it is older.

    Args:
        url: See :func:`hanbae.history.locations.resolve`; ``sqlite`` is the user's own,
            ``${XDG_STATE_HOME:-~/.local/state}/hanbae/history.db``.

    Raises:
        hanbae.errors.WrongUse: The address is not one, or of a database that is not available yet.
        hanbae.errors.FileFault: The file is damaged, another program's, or written by a newer hanbae; its file system
            is full, or cannot lock files.
    """
    path, own_folder = locations.resolve(url, os.environ)
    return Store(path, own_folder=own_folder)


class Store:
    """A history in a SQLite file. Usable from several threads; `close` it, or use it in a ``with``.

    Args:
        path: The file; it is made if it is not there.
        own_folder: Whether its folder is hanbae's own.
    """

    def __init__(self, path: Path, *, own_folder: bool = False) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._translated():
            self._connection = databases.connect(path, own_folder=own_folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def append(
        self, deployment: str, step: str | None, fact: events.Fact, moment: datetime
    ) -> Event:
        """Add what happened to a deployment's record; on the disk when this returns.

        Args:
            deployment: The deployment's id.
            step: The plan's step that it belongs to, or None.
            fact: What happened.
            moment: When; with a time zone.

        Returns:
            The event with its number, counted from 1 without gaps.

        Raises:
            ValueError: It breaks the record's form: no time zone, the first event is not ``Opened`` or a later one is,
                or the deployment is closed already.
            hanbae.errors.Unreachable: Another process holds the file for too long.
            hanbae.errors.FileFault: It cannot be written: the disk is full, or the file is damaged. Nothing was added.
        """
        if moment.tzinfo is None:
            raise ValueError("the time of an event has a time zone")
        kind = type(fact).__name__

        def work(connection: sqlite3.Connection) -> Event:
            last = connection.execute(
                "SELECT seq, kind FROM events WHERE deployment = ? ORDER BY seq DESC LIMIT 1",
                (deployment,),
            ).fetchone()
            _check_order(kind, last[1] if last else None)
            seq = last[0] + 1 if last else 1
            event = Event(deployment, seq, moment.astimezone(UTC), step, fact)
            connection.execute(
                "INSERT INTO events (deployment, seq, kind, event) VALUES (?, ?, ?, ?)",
                (deployment, seq, kind, encode(event)),
            )
            return event

        return self._transaction(work)

    def events(self, deployment: str, *, after: int = 0) -> list[Event]:
        """The events of a deployment in order.

        Args:
            deployment: The deployment's id.
            after: Only those with a greater number: what a reader has not seen yet.
        """
        rows = self._rows(
            "SELECT event FROM events WHERE deployment = ? AND seq > ? ORDER BY seq",
            (deployment, after),
        )
        return [self._decoded(text) for (text,) in rows]

    def deployments(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        limit: int = 20,
        refused: bool = True,
    ) -> list[Deployment]:
        """The latest deployments, newest first, folded from their events.

        Args:
            service: Only those of this service.
            environment: Only those to this environment.
            limit: At most so many.
            refused: Whether attempts that were refused are among them.
        """
        rows = self._rows(
            """
            SELECT deployment FROM events
            WHERE kind = 'Opened'
              AND (?1 IS NULL OR json_extract(event, '$.fact.plan.environment') = ?1)
              AND (?2 IS NULL OR json_extract(event, '$.fact.plan.service') = ?2)
              AND (?4 OR NOT EXISTS (
                SELECT 1 FROM events AS closing
                WHERE closing.deployment = events.deployment AND closing.kind = 'Closed'
                  AND json_extract(closing.event, '$.fact.outcome') = 'refused'))
            ORDER BY rowid DESC LIMIT ?3
            """,
            (environment, service, limit, refused),
        )
        return [self.deployment(id) for (id,) in rows]  # noqa: A001 it is the deployment's

    def last(self, environment: str) -> dict[str, Deployment]:
        """Service → its last deployment to an environment that was not refused.

        Args:
            environment: The environment.
        """
        rows = self._rows(
            """
            SELECT deployment FROM events WHERE rowid IN (
              SELECT max(rowid) FROM events
              WHERE kind = 'Opened' AND json_extract(event, '$.fact.plan.environment') = ?1
                AND NOT EXISTS (
                  SELECT 1 FROM events AS closing
                  WHERE closing.deployment = events.deployment AND closing.kind = 'Closed'
                    AND json_extract(closing.event, '$.fact.outcome') = 'refused')
              GROUP BY json_extract(event, '$.fact.plan.service'))
            """,
            (environment,),
        )
        deployments = [self.deployment(id) for (id,) in rows]  # noqa: A001 it is the deployment's
        return {deployment.service: deployment for deployment in deployments}

    def deployment(self, deployment: str) -> Deployment:
        """What a deployment adds up to.

        Raises:
            ValueError: There is none of this id.
        """
        rows = self._rows(
            "SELECT event FROM events WHERE deployment = ? AND kind NOT IN (?, ?) ORDER BY seq",
            (deployment, *_NARRATION),
        )
        if not rows:
            raise ValueError(f"no deployment {deployment}")
        try:
            return deployments.fold([self._decoded(text) for (text,) in rows])
        except ValueError as error:
            place = subjects.Place(str(self.path))
            raise errors.FileFault("history.damaged", place=place, why=str(error)) from None

    def plan(self, deployment: str) -> plans.Plan:
        """The plan with which a deployment was opened.

        Raises:
            ValueError: There is none of this id.
        """
        rows = self._rows(
            "SELECT event FROM events WHERE deployment = ? AND kind = 'Opened'", (deployment,)
        )
        for (text,) in rows:
            fact = self._decoded(text).fact
            if isinstance(fact, events.Opened):
                return fact.plan
        message = f"no deployment {deployment}"
        raise ValueError(message)

    def find(self, prefix: str) -> str:
        """The id of the deployment that begins like this.

        Raises:
            hanbae.errors.WrongUse: None does, or several do.
        """
        rows = self._rows(
            "SELECT deployment FROM events WHERE kind = 'Opened' AND substr(deployment, 1, ?) = ?"
            " ORDER BY rowid DESC LIMIT 5",
            (len(prefix), prefix),
        )
        ids = [id for (id,) in rows]  # noqa: A001 it is the deployment's
        if prefix in ids or len(ids) == 1:
            return prefix if prefix in ids else str(ids[0])
        if not ids:
            raise errors.WrongUse("history.no-deployment", prefix=prefix)
        raise errors.WrongUse("history.ambiguous", prefix=prefix, ids=", ".join(ids))

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[str, ...]]:
        with self._lock, self._translated():
            return self._connection.execute(query, values).fetchall()

    def _transaction(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

    def _decoded(self, text: str) -> Event:
        try:
            return decode(text)
        except foreign_json.Fault as error:
            place = subjects.Place(str(self.path))
            if isinstance(error.__cause__, msgspec.ValidationError):
                raise errors.FileFault("history.newer", place=place) from None
            # Written as JSON, so the file has been changed since.
            raise errors.FileFault("history.damaged", place=place, why=str(error)) from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's failures as ours."""
        place = subjects.Place(str(self.path))
        try:
            yield
        except schemas.Newer:
            raise errors.FileFault("history.newer", place=place) from None
        except schemas.NotAHistory:
            raise errors.FileFault("history.not-a-history", place=place) from None
        except databases.NotAFile:
            raise errors.FileFault("history.not-a-file", place=place) from None
        except databases.NoLocks as error:
            raise errors.FileFault("history.no-locks", place=place, why=str(error)) from None
        except OSError as error:
            text_id = "history.full" if error.errno in _FULL else "history.not-writable"
            raise errors.FileFault(text_id, place=place, why=files.reason(error)) from None
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                raise errors.Unreachable("history.busy", file=str(self.path)) from None
            text_id = _operational(error, self.path.parent)
            raise errors.FileFault(text_id, place=place, why=str(error)) from None
        except sqlite3.DatabaseError as error:
            raise errors.FileFault("history.damaged", place=place, why=str(error)) from None


def _check_order(kind: str, last: str | None) -> None:
    if (last is None) != (kind == "Opened"):
        raise ValueError(f"a deployment's events begin with Opened, once: {kind} after {last}")
    if last == "Closed":
        raise ValueError(f"a deployment's last event is Closed: {kind} after it")


def _operational(error: sqlite3.OperationalError, folder: Path) -> str:
    """What SQLite could not do: a full disk may also be an I/O error, and JSON that is none a wrong query."""
    code = error.sqlite_errorcode & 0xFF
    if code == sqlite3.SQLITE_IOERR:
        with contextlib.suppress(OSError):
            code = code if os.statvfs(folder).f_bavail else sqlite3.SQLITE_FULL
    names = {sqlite3.SQLITE_FULL: "history.full", sqlite3.SQLITE_ERROR: "history.damaged"}
    return names.get(code, "history.not-writable")


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
