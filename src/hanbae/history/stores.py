"""The store of events: what it has returned from, it has on the disk.

The live view, ``attach`` and the proof of what happened all stand on this: an event is shown only after `append` has
returned, and a machine that loses power in the next moment still has it.
Several processes write at once; each deployment's events are numbered without gaps.
Where the events are, in a file or on a server, is the matter of :mod:`hanbae.history.protocol`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from hanbae import errors, foreign_json, subjects
from hanbae.history import in_file, locations, on_server, protocol
from hanbae.results import checklists, deployments, events, plans

Event = events.Event
Deployment = deployments.Deployment

# Facts that do not change what a deployment adds up to, and of which there are thousands, are left out of it. Written
# out, because an index without them is only used by a query that says the same.
_TELLING: Final = "kind NOT IN ('Logged', 'Observed')"
_NOT_REFUSED: Final = (
    "NOT EXISTS (SELECT 1 FROM events AS closing WHERE closing.deployment = events.deployment"
    " AND closing.kind = 'Closed' AND closing.outcome = 'refused')"
)
_AT_ONCE: Final = 200
"""Deployments that are folded from what one query yields."""
_NAMED: Final = 5
_ID: Final = re.compile(r"[\w.%-]{1,200}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A full id: git takes other texts for a branch, or for a pattern that it looks for in every message."""
_FIRST_YEAR, _LAST_YEAR = 1971, 9998
"""Years that every time zone has."""
_HIGHEST: Final = "\U0010ffff"
"""Comes after everything that an id can go on with."""


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
        hanbae.errors.WrongUse: The address is not one.
        hanbae.errors.FileFault: It is damaged, another program's, or written by a newer hanbae; its file system is
            full, or cannot lock files.
        hanbae.errors.Unreachable: The server does not answer, or refuses us.
        hanbae.errors.Lacking: What speaks to servers is not installed.
    """
    location = locations.resolve(url, os.environ)
    if isinstance(location, locations.File):
        return in_a_file(location.path, own_folder=location.own_folder)
    return Store(on_server.Database(location))


def in_a_file(path: Path, *, own_folder: bool = False) -> Store:
    """Open the history in a SQLite file; see :func:`open_store`.

    Args:
        path: The file; it is made if it is not there.
        own_folder: Whether its folder is hanbae's own.
    """
    return Store(in_file.Database(path, own_folder=own_folder))


class Store:
    """A history. Usable from several threads; `close` it, or use it in a ``with``.

    Args:
        database: Where the events are.
    """

    def __init__(self, database: protocol.Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def place(self) -> subjects.Place:
        """The file or the server."""
        return self._database.place

    def close(self) -> None:
        """Let go of the file or the server."""
        self._database.close()

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
            hanbae.errors.Unreachable: Another process holds the file for too long, or the server is away for too long.
            hanbae.errors.FileFault: It cannot be written: the disk is full, or the file is damaged. Nothing was added.
        """
        if moment.tzinfo is None:
            raise ValueError("the time of an event has a time zone")
        kind, moment = type(fact).__name__, moment.astimezone(UTC)
        attempts: list[str] = []

        def work(execute: protocol.Execute) -> Event:
            last = execute(
                "SELECT seq, kind, event FROM events WHERE deployment = :deployment"
                " ORDER BY seq DESC LIMIT 1",
                {"deployment": deployment},
            )
            if last and last[0][2] in attempts:  # nobody learned that it was committed
                return self._decoded(last[0][2], deployment)
            _check_order(kind, last[0][1] if last else None)
            event = Event(deployment, last[0][0] + 1 if last else 1, moment, step, fact)
            attempts.append(encode(event))
            execute(_INSERT, _row(event, attempts[-1]))
            return event

        return self._database.transaction(work, deployment=deployment)

    def events(self, deployment: str, *, after: int = 0) -> list[Event]:
        """The events of a deployment in order.

        Args:
            deployment: The deployment's id.
            after: Only those with a greater number: what a reader has not seen yet.
        """
        rows = self._database.rows(
            "SELECT event FROM events WHERE deployment = :deployment AND seq > :after ORDER BY seq",
            {"deployment": deployment, "after": after},
        )
        return [self._decoded(text, deployment) for (text,) in rows]

    def wait(self, seconds: float) -> None:
        """Return as soon as another process has added an event, at the latest after so many seconds."""
        self._database.wait(seconds)

    def watching(self, deployment: str) -> AbstractContextManager[None]:
        """Mark a deployment as driven by this process; where that cannot be written, nothing is marked."""
        return self._database.watching(deployment)

    def is_watched(self, deployment: str) -> bool:
        """Whether a process drives a deployment: one of this machine, or any where the history is on a server."""
        return self._database.is_watched(deployment)

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
        conditions, values = _chosen(service, environment)
        if not refused:
            conditions.append(_NOT_REFUSED)
        rows = self._database.rows(
            f"SELECT deployment FROM events WHERE {' AND '.join(conditions)}"  # noqa: S608  our own words
            " ORDER BY recorded DESC, position DESC LIMIT :limit",
            values | {"limit": limit},
        )
        return list(self._folded([id for (id,) in rows]))  # noqa: A001 it is the deployment's

    def take(self, other: Store) -> tuple[int, int]:
        """Add what another history has and this one has not; what it has of a record stays as it is.

        Args:
            other: The other history. What is added to it meanwhile may be left out, and is taken the next time.

        Returns:
            How many deployments were added or gone on with, and how many events.

        Raises:
            hanbae.errors.Refused: A record is another one here than there.
            hanbae.errors.FileFault: A record there is none: its events are another deployment's, or in no order.
        """
        added = [self._take(other, deployment) for deployment in other.ids()]
        return sum(count > 0 for count in added), sum(added)

    def _take(self, other: Store, deployment: str) -> int:
        """Add the events of one deployment that are missing; all of them or none."""
        query = "SELECT event FROM events WHERE deployment = :deployment ORDER BY seq"
        theirs = [text for (text,) in other._database.rows(query, {"deployment": deployment})]
        taken = other._record(deployment, theirs)

        def work(execute: protocol.Execute) -> int:
            ours = [text for (text,) in execute(query, {"deployment": deployment})]
            if ours != theirs[: len(ours)] and theirs != ours[: len(theirs)]:
                place = self.place
                raise errors.Refused("history.differs", place=place, deployment=deployment)
            for event, text in zip(taken[len(ours) :], theirs[len(ours) :], strict=True):
                execute(_INSERT, _row(event, text))
            return max(0, len(theirs) - len(ours))

        return self._database.transaction(work, deployment=deployment)

    def ids(self) -> list[str]:
        """The ids of all deployments, oldest first."""
        rows = self._database.rows(
            "SELECT deployment FROM events WHERE kind = 'Opened' ORDER BY recorded, position", {}
        )
        return [id for (id,) in rows]  # noqa: A001  it is the deployment's

    def opened(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Deployment]:
        """Every deployment that was opened in a time, oldest first, refused ones included.

        Args:
            service: Only those of this service.
            environment: Only those to this environment.
            since: From this moment; with a time zone.
            until: Up to this moment, without it; with a time zone.
        """
        conditions, values = _chosen(service, environment)
        for name, sign, moment in (("since", ">=", since), ("until", "<", until)):
            if moment is not None:
                conditions.append(f"recorded {sign} :{name}")
                values[name] = _stamp(moment)
        rows = self._database.rows(
            f"SELECT deployment FROM events WHERE {' AND '.join(conditions)}"  # noqa: S608  our own words
            " ORDER BY recorded, position",
            values,
        )
        yield from self._folded([id for (id,) in rows])  # noqa: A001 it is the deployment's

    def last(self, environment: str) -> dict[str, Deployment]:
        """Service → its last deployment to an environment that was not refused.

        Args:
            environment: The environment.
        """
        rows = self._database.rows(
            "SELECT deployment FROM (SELECT deployment, row_number() OVER"  # noqa: S608  our own words
            " (PARTITION BY service ORDER BY recorded DESC, position DESC) AS place FROM events"
            f" WHERE kind = 'Opened' AND environment = :environment AND {_NOT_REFUSED})"
            " AS ranked WHERE place = 1",
            {"environment": environment},
        )
        folded = self._folded([id for (id,) in rows])  # noqa: A001 it is the deployment's
        return {deployment.service: deployment for deployment in folded}

    def phases(self, deployments: Sequence[str]) -> dict[str, tuple[checklists.Checked, ...]]:
        """Deployment → what became of its checklists, of those that have any.

        Args:
            deployments: The deployments' ids.
        """
        phases: dict[str, dict[checklists.Phase, checklists.Checked]] = {}
        for first in range(0, len(deployments), _AT_ONCE):
            ids = deployments[first : first + _AT_ONCE]
            names = {f"id{number}": id for number, id in enumerate(ids)}  # noqa: A001
            rows = self._database.rows(
                "SELECT deployment, event FROM events WHERE deployment IN"  # noqa: S608  our own words
                f" ({', '.join(f':{name}' for name in names)}) AND kind = 'Decided'"
                " ORDER BY deployment, seq",
                names,
            )
            for deployment, text in rows:
                event = self._decoded(text, deployment)
                if isinstance(event.fact, events.Decided):
                    checked = event.fact.checked
                    phases.setdefault(event.deployment, {})[checked.phase] = checked
        return {deployment: tuple(by_phase.values()) for deployment, by_phase in phases.items()}

    def deployment(self, deployment: str) -> Deployment:
        """What a deployment adds up to.

        Raises:
            ValueError: There is none of this id.
        """
        for folded in self._folded([deployment]):
            return folded
        raise ValueError(f"no deployment {deployment}")

    def plan(self, deployment: str) -> plans.Plan:
        """The plan with which a deployment was opened.

        Raises:
            ValueError: There is none of this id.
        """
        rows = self._database.rows(
            "SELECT event FROM events WHERE deployment = :deployment AND seq = 1",
            {"deployment": deployment},
        )
        for (text,) in rows:
            fact = self._decoded(text, deployment).fact
            if isinstance(fact, events.Opened):
                return fact.plan
        message = f"no deployment {deployment}"
        raise ValueError(message)

    def find(self, prefix: str) -> str:
        """The id of the deployment that begins like this.

        Raises:
            hanbae.errors.WrongUse: None does, or several do.
        """
        rows = self._database.rows(
            "SELECT deployment FROM events"
            " WHERE seq = 1 AND deployment >= :prefix AND deployment < :beyond"
            " ORDER BY deployment <> :prefix, recorded DESC LIMIT :limit",
            {"prefix": prefix, "beyond": prefix + _HIGHEST, "limit": _NAMED},
        )
        ids = [id for (id,) in rows]  # noqa: A001 it is the deployment's
        if prefix in ids or len(ids) == 1:
            return prefix if prefix in ids else str(ids[0])
        if not ids:
            raise errors.WrongUse("history.no-deployment", prefix=prefix)
        raise errors.WrongUse("history.ambiguous", prefix=prefix, ids=", ".join(ids))

    def _folded(self, ids: Sequence[str]) -> Iterator[Deployment]:
        """What deployments add up to, in the order of their ids."""
        for first in range(0, len(ids), _AT_ONCE):
            names = {f"id{number}": id for number, id in enumerate(ids[first : first + _AT_ONCE])}  # noqa: A001
            rows = self._database.rows(
                "SELECT deployment, event FROM events WHERE deployment IN"  # noqa: S608  our own words
                f" ({', '.join(f':{name}' for name in names)}) AND {_TELLING}"
                " ORDER BY deployment, seq",
                names,
            )
            groups = groupby(rows, key=itemgetter(0))
            by_id = {
                name: self._fold([self._decoded(text, name) for _, text in group])
                for name, group in groups
            }
            yield from (by_id[name] for name in names.values() if name in by_id)

    def _fold(self, stream: list[Event]) -> Deployment:
        try:
            return deployments.fold(stream)
        except ValueError as error:
            raise self._damaged(str(error)) from None

    def _record(self, deployment: str, texts: Sequence[str]) -> list[Event]:
        """The events of a whole record, which was written by whoever may write here.

        Raises:
            hanbae.errors.FileFault: They are not numbered from 1 without gaps, or not what a record is made of.
        """
        stream = [self._decoded(text, deployment) for text in texts]
        last: str | None = None
        for number, event in enumerate(stream, 1):
            if event.seq != number:
                raise self._damaged(f"seq {event.seq} at {number}")
            kind = type(event.fact).__name__
            try:
                _check_order(kind, last)
            except ValueError as error:
                raise self._damaged(str(error)) from None
            last = kind
        return stream

    def _decoded(self, text: str, deployment: str) -> Event:
        """An event of a deployment, from what is stored.

        What is stored was written by whoever may write to the history. A record that goes by two names, a time that no
        calendar shows and an id that a shell would obey are nobody's.
        """
        try:
            event = decode(text)
        except foreign_json.Fault as error:
            if isinstance(error.__cause__, msgspec.ValidationError):
                raise errors.FileFault("history.newer", place=self.place) from None
            # Written as JSON, so it has been changed since.
            raise self._damaged(str(error)) from None
        if event.deployment != deployment or not _ID.fullmatch(deployment):
            raise self._damaged("deployment")
        if event.at.tzinfo is None or not _FIRST_YEAR <= event.at.year <= _LAST_YEAR:
            raise self._damaged("at")
        if isinstance(event.fact, events.Opened) and not _COMMIT.fullmatch(event.fact.revision):
            raise self._damaged("revision")
        return event

    def _damaged(self, why: str) -> errors.FileFault:
        return errors.FileFault("history.damaged", place=self.place, why=why)


_INSERT: Final = (
    "INSERT INTO events"
    " (deployment, seq, kind, event, recorded, environment, service, outcome) VALUES"
    " (:deployment, :seq, :kind, :event, :recorded, :environment, :service, :outcome)"
)


def _row(event: Event, text: str) -> dict[str, object]:
    """An event beside what people search by."""
    fact = event.fact
    plan = fact.plan if isinstance(fact, events.Opened) else None
    return {
        "deployment": event.deployment,
        "seq": event.seq,
        "kind": type(fact).__name__,
        "event": text,
        "recorded": _stamp(event.at),
        "environment": plan.environment if plan else None,
        "service": plan.service if plan else None,
        "outcome": fact.outcome if isinstance(fact, events.Closed) else None,
    }


def _stamp(moment: datetime) -> str:
    """A moment as text that is in the order of time."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _chosen(service: str | None, environment: str | None) -> tuple[list[str], dict[str, object]]:
    """Conditions for the first events of deployments, with their values."""
    choices = {"service": service, "environment": environment}
    values: dict[str, object] = {
        name: value for name, value in choices.items() if value is not None
    }
    return ["kind = 'Opened'", *(f"{name} = :{name}" for name in values)], values


def _check_order(kind: str, last: str | None) -> None:
    if (last is None) != (kind == "Opened"):
        raise ValueError(f"a deployment's events begin with Opened, once: {kind} after {last}")
    if last == "Closed":
        raise ValueError(f"a deployment's last event is Closed: {kind} after it")
