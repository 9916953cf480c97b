"""The store of events: what it has returned from, it has on the disk.

The live view, ``attach`` and the proof of what happened all stand on this: an event is shown only after `append` has
returned, and a machine that loses power in the next moment still has it.
Several processes write at once; each deployment's events are numbered without gaps.
Where the events are, in a file or on a server, is the matter of :mod:`hanbae.history.protocol`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hanbae import errors, subjects
from hanbae.history import in_file, listings, locations, on_server, protocol, stored_events
from hanbae.results import checklists, deployments, events, plans

Event = events.Event
Deployment = deployments.Deployment
Unreadable = deployments.Unreadable

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
_HIGHEST: Final = "\U0010ffff"
"""Comes after everything that an id can go on with."""


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
        self._reader = stored_events.Reader(database.place.file, database.address)

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
            The event as readers get it, with its number, counted from 1 without gaps.

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
            for text in attempts:  # nobody learned whether it was committed
                query = "SELECT position FROM events WHERE deployment = :name AND event = :text"
                for (row,) in execute(query, {"name": deployment, "text": text}):
                    return self._required(text, deployment, row)
            last = execute(
                "SELECT seq, kind FROM events WHERE deployment = :deployment"
                " ORDER BY seq DESC LIMIT 1",
                {"deployment": deployment},
            )
            stored_events.check_order(kind, last[0][1] if last else None)
            event = Event(deployment, last[0][0] + 1 if last else 1, moment, step, fact)
            event, text = stored_events.stored(event)
            attempts.append(text)
            execute(_INSERT, _row(event, text))
            return event

        return self._database.transaction(work, deployment=deployment)

    def events(self, deployment: str, *, after: int = 0) -> list[Event]:
        """The events of a deployment in order.

        Args:
            deployment: The deployment's id.
            after: Only those with a greater number: what a reader has not seen yet.

        Raises:
            hanbae.errors.FileFault: One of them cannot be read.
        """
        return [self._required(text, deployment, row) for row, text in self._of(deployment, after)]

    def record(self, deployment: str) -> tuple[list[Event], tuple[Unreadable, ...]]:
        """The events of a deployment in order, and what of its record cannot be read, for whoever shows them.

        Args:
            deployment: The deployment's id.
        """
        stream: list[Event] = []
        unreadable: list[Unreadable] = []
        for row, text in self._of(deployment, 0):
            try:
                stream.append(self._reader.event(text, deployment, row))
            except stored_events.Unread as error:
                unreadable.append(error.record)
        return stream, tuple(unreadable)

    def _of(self, deployment: str, after: int) -> stored_events.Texts:
        """What is stored of a deployment, with a greater number."""
        rows = self._database.rows(
            "SELECT position, event FROM events WHERE deployment = :deployment AND seq > :after"
            " ORDER BY seq",
            {"deployment": deployment, "after": after},
        )
        return [(row, text) for row, text in rows]

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
        """The latest deployments, newest first, for whoever decides by them; see :meth:`listing`.

        Raises:
            hanbae.errors.FileFault: A record among them cannot be read.
        """
        return self.listing(
            service=service, environment=environment, limit=limit, refused=refused
        ).require()

    def listing(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        limit: int = 20,
        refused: bool = True,
    ) -> listings.Listing:
        """The latest deployments, newest first, folded from their events, for whoever shows them.

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
            f"SELECT deployment, position FROM events WHERE {' AND '.join(conditions)}"  # noqa: S608  our own words
            " ORDER BY recorded DESC, position DESC LIMIT :limit",
            values | {"limit": limit},
        )
        return self._listed(rows)

    def take(self, other: Store) -> listings.Copied:
        """Add what another history has and this one has not; what it has of a record stays as it is.

        A record there that cannot be read, or whose events are another deployment's or in no order, is left out, and
        so is one that is another here than there; all others are taken.

        Args:
            other: The other history. What is added to it meanwhile may be left out, and is taken the next time.
        """
        added: list[int] = []
        differing: list[str] = []
        ids, unreadable = other._askable(other._opened())
        for deployment in ids:
            try:
                count = self._take(other, deployment)
            except stored_events.Unread as error:
                unreadable.append(error.record)
            else:
                if count is None:
                    differing.append(deployment)
                else:
                    added.append(count)
        count = sum(number > 0 for number in added)
        return listings.Copied(count, sum(added), tuple(unreadable), tuple(differing))

    def _take(self, other: Store, deployment: str) -> int | None:
        """Add the events of one deployment that are missing, all of them or none; None where it is another here."""
        query = "SELECT position, event FROM events WHERE deployment = :deployment ORDER BY seq"
        values = {"deployment": deployment}
        rows: stored_events.Texts = [
            (row, text) for row, text in other._database.rows(query, values)
        ]
        copied = other._reader.whole(deployment, rows)
        theirs = [text for _, text in rows]

        def work(execute: protocol.Execute) -> int | None:
            ours = [text for _, text in execute(query, values)]
            # Where neither begins like the other, they are two different records.
            if ours != theirs[: len(ours)] and theirs != ours[: len(theirs)]:
                return None
            for event, text in zip(copied[len(ours) :], theirs[len(ours) :], strict=True):
                execute(_INSERT, _row(event, text))
            return max(0, len(theirs) - len(ours))

        return self._database.transaction(work, deployment=deployment)

    def ids(self) -> list[str]:
        """The ids of all deployments, oldest first; one that is no text is left out."""
        return self._askable(self._opened())[0]

    def _opened(self) -> protocol.Rows:
        """The ids of all deployments as they are stored, oldest first, and where each is."""
        return self._database.rows(
            "SELECT deployment, position FROM events WHERE kind = 'Opened'"
            " ORDER BY recorded, position",
            {},
        )

    def _askable(self, rows: protocol.Rows) -> tuple[list[str], list[Unreadable]]:
        """Ids that stand in rows, and the records whose id is no UTF-8: nothing can be asked by such a one."""
        ids: list[str] = []
        unreadable: list[Unreadable] = []
        for name, row in rows:
            if stored_events.is_text(name):
                ids.append(name)
            else:
                unreadable.append(self._reader.without_id(row))
        return ids, unreadable

    def opened(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> listings.Listing:
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
            f"SELECT deployment, position FROM events WHERE {' AND '.join(conditions)}"  # noqa: S608  our own words
            " ORDER BY recorded, position",
            values,
        )
        return self._listed(rows)

    def last(self, environment: str) -> listings.Listing:
        """The last deployment of each service to an environment that was not refused.

        Where that one's record cannot be read, no earlier one takes its place.

        Args:
            environment: The environment.
        """
        rows = self._database.rows(
            "SELECT deployment, position FROM (SELECT deployment, position, row_number() OVER"  # noqa: S608  our own words
            " (PARTITION BY service ORDER BY recorded DESC, position DESC) AS place FROM events"
            f" WHERE kind = 'Opened' AND environment = :environment AND {_NOT_REFUSED})"
            " AS ranked WHERE place = 1",
            {"environment": environment},
        )
        return self._listed(rows)

    def phases(
        self, deployments: Sequence[str]
    ) -> tuple[dict[str, tuple[checklists.Checked, ...]], tuple[Unreadable, ...]]:
        """Deployment → what became of its checklists, of those that have any; and what of them cannot be read.

        Args:
            deployments: The deployments' ids.
        """
        phases: dict[str, tuple[checklists.Checked, ...]] = {}
        unreadable: list[Unreadable] = []
        for name, texts in self._texts(deployments, "kind = 'Decided'"):
            try:
                facts = [event.fact for event in self._reader.stream(name, texts)]
            except stored_events.Unread as error:
                unreadable.append(error.record)
                continue
            decided = [fact.checked for fact in facts if isinstance(fact, events.Decided)]
            phases[name] = tuple({entry.phase: entry for entry in decided}.values())
        return phases, tuple(unreadable)

    def deployment(self, deployment: str) -> Deployment:
        """What a deployment adds up to.

        Raises:
            ValueError: There is none of this id.
            hanbae.errors.FileFault: Its record cannot be read.
        """
        for folded in self._listed([(deployment, 0)]).require():
            return folded
        raise ValueError(f"no deployment {deployment}")

    def plan(self, deployment: str) -> plans.Plan:
        """The plan with which a deployment was opened.

        Raises:
            ValueError: There is none of this id.
        """
        rows = self._database.rows(
            "SELECT position, event FROM events WHERE deployment = :deployment AND seq = 1",
            {"deployment": deployment},
        )
        for row, text in rows:
            fact = self._required(text, deployment, row).fact
            if isinstance(fact, events.Opened):
                return fact.plan
        message = f"no deployment {deployment}"
        raise ValueError(message)

    def find(self, prefix: str) -> str:
        """The id of the deployment that begins like this.

        Raises:
            hanbae.errors.WrongUse: None does, or several do.
        """
        prefix = _written(prefix)
        rows = self._database.rows(
            # A range instead of LIKE: the index answers it, and `%` and `_` mean themselves.
            "SELECT deployment, position FROM events"
            " WHERE seq = 1 AND deployment >= :prefix AND deployment < :beyond"
            " ORDER BY deployment <> :prefix, recorded DESC LIMIT :limit",
            {"prefix": prefix, "beyond": prefix + _HIGHEST, "limit": _NAMED},
        )
        ids, _ = self._askable(rows)
        if prefix in ids or len(ids) == 1:
            return prefix if prefix in ids else ids[0]
        if not ids:
            raise errors.WrongUse("history.no-deployment", prefix=prefix)
        raise errors.WrongUse("history.ambiguous", prefix=prefix, ids=", ".join(ids))

    def _listed(self, rows: protocol.Rows) -> listings.Listing:
        """What the deployments add up to whose ids, and where each is, stand in rows; in the order of the rows."""
        by_id: dict[str, Deployment] = {}
        ids, unreadable = self._askable(rows)
        for name, texts in self._texts(ids, _TELLING):
            try:
                by_id[name] = self._reader.fold(name, texts)
            except stored_events.Unread as error:
                unreadable.append(error.record)
        listed = [by_id[name] for name in ids if name in by_id]
        return listings.Listing(listed, tuple(unreadable), self.place)

    def _texts(
        self, ids: Sequence[str], condition: str
    ) -> Iterator[tuple[str, stored_events.Texts]]:
        """What is stored of deployments under a condition, deployment by deployment."""
        for first in range(0, len(ids), _AT_ONCE):
            names = {f"id{number}": id for number, id in enumerate(ids[first : first + _AT_ONCE])}  # noqa: A001
            rows = self._database.rows(
                "SELECT deployment, position, event FROM events WHERE deployment IN"  # noqa: S608  our own words
                f" ({', '.join(f':{name}' for name in names)}) AND {condition}"
                " ORDER BY deployment, seq",
                names,
            )
            for name, group in groupby(rows, key=itemgetter(0)):
                yield name, [(row, text) for _, row, text in group]

    def _required(self, text: str, deployment: str, row: int) -> Event:
        """An event of a deployment, for whoever decides by it.

        Raises:
            hanbae.errors.FileFault: It cannot be read.
        """
        try:
            return self._reader.event(text, deployment, row)
        except stored_events.Unread as error:
            raise errors.FileFault.saying(error.record.why, self.place) from None


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
        name: _written(value) for name, value in choices.items() if value is not None
    }
    return ["kind = 'Opened'", *(f"{name} = :{name}" for name in values)], values


def _written(text: str) -> str:
    """A text that is searched for, as it could be stored: of a command's bytes that are no UTF-8 nothing is."""
    return text.encode("utf-8", "replace").decode()
