"""What the measures of DORA are counted from: the deployments of a history, in their order.

Each definition is one place here, and is said to people in ``docs/history.md``:

- A *change* is content of a service that an environment did not have before, whatever commits it came with. A commit
  that changes nothing of a service is no change of it, and what was there before is a return, no change.
- A change *failed*, once, where a deployment of it that had begun failed, a migration included, or where another
  deployment brought back what had been there before, within some hours of its success.
- The *lead time* of a change is from the first commit that it came with to the end of its first success.
- A failure is *restored* by the next deployment of the service in the environment that succeeds.

What was refused has changed nothing and is not counted; nor is what was stopped, superseded, or still runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from msgspec import structs

from hanbae.results import deployments, measures

_DAY: Final = timedelta(days=1)
_TENTHS: Final = 10


@dataclass(frozen=True)
class Lookup:
    """What git knows of a service's revisions.

    Attributes:
        content: Service and revision → what identifies the service's content; empty where it is not known.
        written: Service, revision and the one before → when the first commit between was written, or None.
    """

    content: Callable[[str, str], str]
    written: Callable[[str, str, str], datetime | None]


@dataclass
class _Change:
    """Content that an environment did not have before."""

    revision: str
    tried: datetime
    deployed: datetime | None = None
    lead: float | None = None
    failure: measures.Failure | None = None


@dataclass
class _Course:
    """What became of one service in one environment, deployment by deployment."""

    lookup: Lookup
    within: timedelta
    changes: dict[str, _Change] = field(default_factory=dict)
    current: _Change | None = None

    def follow(self, deployment: deployments.Deployment) -> None:
        """Take one deployment into account."""
        ended = deployment.closed
        if ended is None or deployment.outcome not in {"succeeded", "failed"}:
            return
        has_migrated = any(
            migration.applied or migration.failed for migration in deployment.migrations
        )
        if deployment.outcome == "failed" and deployment.began is None and not has_migrated:
            return  # it never came so far
        content = self.lookup.content(deployment.service, deployment.revision)
        # Content that is not known, because the clone lacks the commit, counts by its commit.
        key = content or deployment.revision
        if deployment.outcome == "failed":
            change = self.changes.setdefault(key, _Change(deployment.revision, ended))
            self._fail(change, deployment, _how(deployment), ended)
            return
        self._restore(ended)
        change = self.changes.setdefault(key, _Change(deployment.revision, ended))
        # What is there already was deployed once more.
        if change is self.current:
            return
        if change.deployed is None:
            former = self.current.revision if self.current is not None else ""
            change.deployed = ended
            change.lead = self._lead(deployment, former, ended)
        elif self._takes_back(deployment):
            assert self.current is not None  # noqa: S101  for the type checker: `_takes_back` has looked
            self._fail(self.current, deployment, "rolled-back", self.current.deployed or ended)
            self._restore(ended)
        self.current = change

    def _takes_back(self, deployment: deployments.Deployment) -> bool:
        """Whether a deployment of former content comes soon after the present one."""
        if self.current is None or self.current.deployed is None or deployment.opened is None:
            return False
        return deployment.opened - self.current.deployed <= self.within

    def _lead(
        self, deployment: deployments.Deployment, former: str, ended: datetime
    ) -> float | None:
        if not former:
            return None  # what came with the first one is not known
        written = self.lookup.written(deployment.service, deployment.revision, former)
        return None if written is None else max(0.0, (ended - written).total_seconds())

    def _fail(
        self,
        change: _Change,
        deployment: deployments.Deployment,
        manner: measures.How,
        began: datetime,
    ) -> None:
        if change.failure is None:
            change.failure = measures.Failure(
                deployment.service,
                deployment.environment,
                change.revision,
                deployment.id,
                manner,
                began,
            )

    def _restore(self, moment: datetime) -> None:
        for change in self.changes.values():
            if change.failure is not None and change.failure.restored is None:
                change.failure = structs.replace(change.failure, restored=moment)


def measured(
    recorded: Iterable[deployments.Deployment],
    lookup: Lookup,
    *,
    environments: Sequence[str],
    since: datetime,
    until: datetime,
    rollback_hours: int,
) -> measures.Measures:
    """The measures of a time.

    Args:
        recorded: Deployments in their order; those from before the time say what was there before.
        lookup: What git knows.
        environments: The environments in their order.
        since: The time's beginning.
        until: Its end, which is not in it.
        rollback_hours: Hours within which a change that is taken back counts as failed.
    """
    within = timedelta(hours=rollback_hours)
    courses: dict[tuple[str, str], _Course] = {}
    for deployment in recorded:
        place = (deployment.environment, deployment.service)
        courses.setdefault(place, _Course(lookup, within)).follow(deployment)
    ordered = sorted(
        (place for place in courses if place[0] in environments),
        key=lambda place: (environments.index(place[0]), place[1]),
    )
    deliveries: list[measures.Delivery] = []
    failures: list[measures.Failure] = []
    for environment, places in groupby(ordered, key=lambda place: place[0]):
        by_service = {place[1]: list(courses[place].changes.values()) for place in places}
        together = [change for changes in by_service.values() for change in changes]
        failures += _failures(together, since, until)
        for service, changes in {"": together, **by_service}.items():
            deliveries.append(_delivery(environment, service, changes, since, until))
    return measures.Measures(
        since,
        until,
        rollback_hours,
        tuple(deliveries),
        tuple(sorted(failures, key=lambda failure: failure.began)),
    )


def _how(deployment: deployments.Deployment) -> measures.How:
    return "migration" if any(entry.failed for entry in deployment.migrations) else "failed"


def _failures(
    changes: Iterable[_Change], since: datetime, until: datetime
) -> Iterator[measures.Failure]:
    for change in changes:
        if change.failure is not None and since <= change.failure.began < until:
            yield change.failure


def _delivery(
    environment: str, service: str, changes: Sequence[_Change], since: datetime, until: datetime
) -> measures.Delivery:
    deployed = [c for c in changes if c.deployed is not None and since <= c.deployed < until]
    tried = [change for change in changes if since <= change.tried < until]
    failed = sum(change.failure is not None for change in tried)
    leads = [change.lead for change in deployed if change.lead is not None]
    failures = list(_failures(changes, since, until))
    restores = [
        (failure.restored - failure.began).total_seconds()
        for failure in failures
        if failure.restored is not None
    ]
    # A time of less than an hour counts as one, else the frequency would grow without end.
    days = max((until - since) / _DAY, 1 / 24)
    return measures.Delivery(
        environment,
        service,
        changes=len(deployed),
        per_day=round(len(deployed) / days, 4),
        tried=len(tried),
        failed=failed,
        failure_rate=round(failed / len(tried), 4) if tried else None,
        lead_median=statistics.median(leads) if leads else None,
        lead_high=_high(leads),
        leads=len(leads),
        restore_median=statistics.median(restores) if restores else None,
        restored=len(restores),
        unrestored=len(failures) - len(restores),
    )


def _high(values: Sequence[float]) -> float | None:
    """The smallest value that nine of ten do not exceed."""
    if not values:
        return None
    # The nearest rank in whole numbers: ⌈0.9 n⌉, counted from 0.
    return sorted(values)[(len(values) * (_TENTHS - 1) - 1) // _TENTHS]
