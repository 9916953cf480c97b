"""How fast and how safely a team delivers: the four measures of DORA, each with what it was counted from."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from hanbae.results import deployments

How = Literal["failed", "migration", "rolled-back"]
"""How a change fails: its deployment, a migration of it, or it is taken back."""


class Failure(Struct, frozen=True):
    """A change that failed in an environment; one, however often it was tried.

    Attributes:
        service: The service.
        environment: The environment.
        revision: Full commit id.
        deployment: Id of the deployment that failed first, or of the one that took the change back.
        how: How it failed.
        began: When the environment had it: the end of that deployment, or of the one that brought what was taken back.
        restored: When the next deployment of the service succeeded there; None as long as none has.
    """

    service: str
    environment: str
    revision: str
    deployment: str
    how: How
    began: datetime
    restored: datetime | None = None


class Delivery(Struct, frozen=True):
    """The measures of one service in one environment, or of all of them together.

    Attributes:
        environment: The environment.
        service: The service; empty for all of them.
        changes: Changes that were deployed: content of the service that had not been in the environment.
        per_day: Changes in each day of the time.
        tried: Changes whose first deployment ended in the time, well or badly.
        failed: How many of those failed.
        failure_rate: The part that failed; None where nothing was tried.
        lead_median: Seconds from the first commit of a change to the end of its deployment, in the middle one; None
            where no commits are known.
        lead_high: The same, which nine of ten changes do not exceed.
        leads: Changes of which the first commit is known.
        restore_median: Seconds from a failure to the next deployment that succeeded, in the middle one; None where
            nothing was restored.
        restored: Failures that began in the time and are restored.
        unrestored: Failures that began in the time and are not.
    """

    environment: str
    service: str
    changes: int
    per_day: float
    tried: int
    failed: int
    failure_rate: float | None
    lead_median: float | None
    lead_high: float | None
    leads: int
    restore_median: float | None
    restored: int
    unrestored: int


class Measures(Struct, frozen=True):
    """The measures of a time.

    Attributes:
        since: Its beginning.
        until: Its end, which is not in it.
        rollback_hours: Hours within which a change that is taken back counts as failed.
        deliveries: Each environment in the policy's order, first all its services together, then each of them.
        failures: What failed in the time, by when it began.
        unreadable: Records that cannot be read, so that they are not counted.
    """

    since: datetime
    until: datetime
    rollback_hours: int
    deliveries: tuple[Delivery, ...]
    failures: tuple[Failure, ...]
    unreadable: tuple[deployments.Unreadable, ...] = ()
