"""What a deployment under a fault has left, all of it, held against the table of faults in ``docs/reliability.md``.

Its events have no gap and none is there twice; the cluster has seen so many migration Jobs and operations; the table of
goose and the history of Argo CD have so many rows more, and no others.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import crashing, scenes

from hanbae.results import events

_PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
_ROW: Final = re.compile(
    r"^\| `(?P<name>[a-z-]+)` .*? \| (?P<code>\d) (?P<outcome>[a-z]+) \| (?P<facts>[A-Za-z ]+) "
    r"\| (?P<causes>[a-z.\-, ]+) \| (?P<operations>\d) \| (?P<jobs>\d) \| \+(?P<versions>\d) "
    r"\| \+(?P<synced>\d) \|",
    re.MULTILINE,
)
#: How many of these there are is the cluster's business.
_COUNTLESS: Final = (events.Observed, events.Logged, events.Noted, events.Diagnosed)


@dataclass(frozen=True)
class Row:
    """What a fault may leave.

    Attributes:
        code: The exit code.
        outcome: How the deployment ends.
        facts: Its events in their order, without those of which the cluster decides how many there are.
        causes: Ids of the causes that are named.
        operations: Operations of Argo CD's.
        jobs: Migration Jobs, by their uids.
        versions: Rows that goose's table has more.
        synced: Rows that Argo CD's history has more.
    """

    code: int
    outcome: str
    facts: tuple[str, ...]
    causes: frozenset[str]
    operations: int
    jobs: int
    versions: int
    synced: int


@functools.cache
def table() -> dict[str, Row]:
    """Fault → what it may leave, as the page says."""
    rows = {}
    for match in _ROW.finditer(_PAGE.read_text()):
        causes = frozenset(match["causes"].split(", ")) - {"-"}
        numbers = {name: int(match[name]) for name in ("operations", "jobs", "versions", "synced")}
        rows[match["name"]] = Row(
            int(match["code"]), match["outcome"], tuple(match["facts"].split()), causes, **numbers
        )
    return rows


class Ledger:
    """What one service was before a fault, and what came of it.

    Args:
        scene: The environment.
        service: A service with one database.
        sight: What an independent watcher sees meanwhile.
    """

    def __init__(self, scene: scenes.Scene, service: str, sight: crashing.Witness) -> None:
        self._scene, self._service, self._sight = scene, service, sight
        self._deployments = set(crashing.events_of(scene))
        self._versions, self._synced = self._rows(), self._history()

    def hold(self, fault: str, *, code: int, revision: str) -> list[events.Event]:
        """Hold what has come of it against the table.

        Args:
            fault: Name of the row.
            code: The exit code.
            revision: The commit that was deployed.

        Returns:
            The record of the only deployment since.

        Raises:
            AssertionError: Something differs.
        """
        row = table()[fault]
        (recorded,) = (
            recorded
            for deployment, recorded in crashing.events_of(self._scene).items()
            if deployment not in self._deployments
        )
        closed = recorded[-1].fact
        assert isinstance(closed, events.Closed)
        assert (code, closed.outcome) == (row.code, row.outcome), closed
        whole(recorded)
        shape = [type(e.fact).__name__ for e in recorded if not isinstance(e.fact, _COUNTLESS)]
        assert shape == list(row.facts)
        causes = {e.fact.cause.id for e in recorded if isinstance(e.fact, events.Diagnosed)}
        assert row.causes <= causes, causes
        assert len(self._sight.operations) == row.operations, self._sight.operations
        jobs = [uid for uids in self._sight.jobs.values() for uid in uids]
        assert len(jobs) == row.jobs, self._sight.jobs
        versions = self._rows()
        assert versions[: len(self._versions)] == self._versions
        assert len(versions) - len(self._versions) == row.versions, versions
        assert len(set(versions)) == len(versions), versions
        history = self._history()
        assert history[: len(self._synced)] == self._synced
        assert [commit for _, commit in history[len(self._synced) :]] == [revision] * row.synced
        return recorded

    def _rows(self) -> list[int]:
        (database,) = self._scene.shop.declared(self._service, self._scene.environment)
        return self._scene.versions(self._service, database.name)

    def _history(self) -> list[tuple[int, str]]:
        """The syncs that Argo CD has noted down, with its own numbers."""
        listed = self._scene.operation(self._service)["status"].get("history") or []
        return [(entry["id"], entry["revision"]) for entry in listed]


@contextlib.contextmanager
def kept(scene: scenes.Scene, service: str) -> Iterator[Ledger]:
    """Watch a service while something happens to it; hold it to the table when this is over."""
    with crashing.witness(scene, service) as sight:
        yield Ledger(scene, service, sight)


def whole(recorded: Sequence[events.Event]) -> None:
    """Hold a record to having no gap and nothing twice.

    Raises:
        AssertionError: It has.
    """
    assert [event.seq for event in recorded] == list(range(1, len(recorded) + 1))
    assert sorted(recorded, key=lambda event: event.at) == list(recorded)
    states: dict[object, events.Observed] = {}
    for event in recorded:
        if isinstance(event.fact, events.Observed):
            assert states.get(event.fact.on) != event.fact, "the same state twice in a row"
            states[event.fact.on] = event.fact
    lines = Counter(
        (event.fact.pod, event.fact.container, event.fact.line)
        for event in recorded
        if isinstance(event.fact, events.Logged) and "-migrate-" in event.fact.pod.name
    )
    assert not [line for line, number in lines.items() if number > 1]
    causes = Counter(
        (event.fact.subject, str(event.fact.cause), event.fact.fatal)
        for event in recorded
        if isinstance(event.fact, events.Diagnosed)
    )
    assert not [cause for cause, number in causes.items() if number > 1]
