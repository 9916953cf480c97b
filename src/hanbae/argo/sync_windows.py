"""Freezes of the policy as sync windows of an AppProject: Argo CD begins no sync by itself while one is open.

A window lets a person sync by hand, because hanbae asks for the freeze itself, and a freeze that somebody waives with
a reason must not be held up after that. An operation that had begun before goes on: a window that stopped it would
leave it between two migrations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanbae.policy import calendars, documents

Object = dict[str, Any]


def of(policy: documents.Policy, environment: str, year: int | None) -> list[Object]:
    """The sync windows of an environment.

    Args:
        policy: The policy.
        environment: The environment.
        year: The calendar year whose days are frozen; None for schedules only.
    """
    freezes = calendars.of_environment(policy, environment)
    return [_window(freeze, *when) for _, freeze in freezes for when in _when(freeze, year)]


def has_days(policy: documents.Policy, environment: str) -> bool:
    """Whether the windows of an environment differ from year to year."""
    freezes = calendars.of_environment(policy, environment)
    return any(freeze.schedule is None for _, freeze in freezes)


def _when(freeze: documents.Freeze, year: int | None) -> Iterator[tuple[str, str]]:
    """Schedule and duration of each time that it freezes."""
    if freeze.schedule is not None and freeze.duration is not None:
        yield freeze.schedule, freeze.duration
    for days in calendars.days(freeze, year) if year is not None else ():
        hours = ((days.last - days.first).days + 1) * 24
        yield f"0 0 {days.first.day} {days.first.month} *", f"{hours}h"


def _window(freeze: documents.Freeze, schedule: str, duration: str) -> Object:
    return {
        "kind": "deny",
        "schedule": schedule,
        "duration": duration,
        "timeZone": calendars.zone(freeze),
        "applications": ["*"],
        "manualSync": True,
        "syncOverrun": True,
        "description": f"{freeze.name}: {freeze.reason}",
    }
