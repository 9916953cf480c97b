"""The freezes of ``hanbae.yaml``; when each holds is in :mod:`hanbae.policy.calendars`."""

from __future__ import annotations

from hanbae.policy.bases import Document, Duration, Name
from hanbae.policy.forms import Cron, Day, Holiday, Reason, Zone


class Freeze(Document, frozen=True):
    """A time in which nothing is deployed: some days, what a schedule begins, or public holidays of Korea.

    Attributes:
        name: Short stable name.
        reason: Why; whoever is refused reads it.
        environments: The environments that are frozen; default all.
        first: The first day.
        last: The last day, which is frozen as well; default the first one.
        schedule: When it begins each time, as for cron; with `duration`.
        duration: How long it lasts each time; at most 366 days.
        holidays: Public holidays of Korea by name, in English or Korean, with the days around them and their substitute
            days; ``all`` is each of them.
        zone: Time zone of the days and the schedule; default ``Asia/Seoul`` for holidays, which are Korea's days, else
            ``UTC``.
    """

    name: Name
    reason: Reason
    environments: tuple[Name, ...] = ()
    first: Day | None = None
    last: Day | None = None
    schedule: Cron | None = None
    duration: Duration | None = None
    holidays: tuple[Holiday, ...] = ()
    zone: Zone | None = None
