"""When the policy freezes an environment: its days, what a schedule begins, and public holidays of Korea.

Whether something is frozen is asked of one moment; nothing here looks at a clock. Holidays come from the library
``holidays``, whose calendar knows the moon and the substitute days, and which is imported only where one is named.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from msgspec import Struct

from hanbae.policy import documents, naming

_KOREA: Final = "Asia/Seoul"
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=366)
_MOST: Final = 400
"""Freezes that follow one on the other before nobody asks for their end any more."""
_HOLIDAYS: Final[Mapping[str, str]] = {
    "new-year": "신정",
    "seollal": "설날",
    "independence-movement-day": "삼일절",
    "childrens-day": "어린이날",
    "labour-day": "노동절",
    "buddhas-birthday": "부처님오신날",
    "memorial-day": "현충일",
    "constitution-day": "제헌절",
    "liberation-day": "광복절",
    "chuseok": "추석",
    "national-foundation-day": "개천절",
    "hangul-day": "한글날",
    "christmas": "기독탄신일",
    "성탄절": "기독탄신일",
    "election-day": "선거일",
}
"""Name in a policy → what each of its days is called by the library, with more before or after; else as it is."""


class Frozen(Struct, frozen=True):
    """That an environment is frozen.

    Attributes:
        freeze: Why: the first freeze of the policy that holds.
        number: Its position in ``freezes:``.
        until: When nothing freezes the environment any more; None where that is not within sight.
    """

    freeze: documents.Freeze
    number: int
    until: datetime | None


class Days(Struct, frozen=True):
    """Days one after the other.

    Attributes:
        first: The first one.
        last: The last one.
    """

    first: date
    last: date


def frozen(policy: documents.Policy, environment: str, moment: datetime) -> Frozen | None:
    """What freezes an environment at a moment; None where nothing does.

    Args:
        policy: The policy.
        environment: The environment.
        moment: The moment, with a time zone.
    """
    freezes = of_environment(policy, environment)
    first = next(((number, freeze) for number, freeze in freezes if _ends(freeze, moment)), None)
    if first is None:
        return None
    number, freeze = first
    # Freezes that overlap or meet are one to whoever waits: after the end of one, those are asked that hold then.
    until = moment
    for _ in range(_MOST):
        ends = [end for _, entry in freezes if (end := _ends(entry, until)) is not None]
        if not ends:
            return Frozen(freeze, number, until)
        until = max(ends)
    return Frozen(freeze, number, None)


def of_environment(
    policy: documents.Policy, environment: str
) -> list[tuple[int, documents.Freeze]]:
    """The freezes that hold for an environment, with their positions in ``freezes:``."""
    return [
        (number, freeze)
        for number, freeze in enumerate(policy.freezes)
        if not freeze.environments or environment in freeze.environments
    ]


def days(freeze: documents.Freeze, year: int) -> tuple[Days, ...]:
    """The days of a year that a freeze holds; none of one with a schedule."""
    begin, end = date(year, 1, 1), date(year, 12, 31)
    return tuple(
        Days(max(span.first, begin), span.last)
        for span in _spans(freeze, (year - 1, year, year + 1))
        if span.first <= end and span.last >= begin
    )


def zone(freeze: documents.Freeze) -> str:
    """The time zone of a freeze's days and schedule."""
    return freeze.zone or (_KOREA if freeze.holidays else "UTC")


def fault(freeze: documents.Freeze) -> tuple[str, str, str] | None:
    """What is wrong with a freeze: text id, key in it and value; None where nothing is."""
    forms = [freeze.first is not None, freeze.schedule is not None, bool(freeze.holidays)]
    if sum(forms) != 1 or (freeze.last and not freeze.first):
        return "policy.freeze-without-form", "", ""
    if (freeze.schedule is None) != (freeze.duration is None):
        return "policy.freeze-without-duration", "duration", freeze.duration or ""
    try:
        ZoneInfo(zone(freeze))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # An OSError is a folder of zones, such as `Asia`.
        return "policy.not-a-zone", "zone", zone(freeze)
    return _days_fault(freeze) or _schedule_fault(freeze)


def _days_fault(freeze: documents.Freeze) -> tuple[str, str, str] | None:
    for key, value in (("first", freeze.first), ("last", freeze.last)):
        if value is not None and not _is_day(value):
            return "policy.not-a-day", key, value
    if freeze.first and freeze.last and freeze.last < freeze.first:
        return "policy.freeze-ends-before", "last", freeze.last
    return None


def _schedule_fault(freeze: documents.Freeze) -> tuple[str, str, str] | None:
    if freeze.schedule is None or freeze.duration is None:
        return None
    if not _MINUTE <= _duration(freeze) <= _LONGEST:
        return "policy.freeze-duration", "duration", freeze.duration
    try:
        # A day that never comes, such as 30 February, is found out by looking for it.
        next(CronSim(freeze.schedule, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        return "policy.not-a-schedule", "schedule", freeze.schedule
    return None


def _is_day(text: str) -> bool:
    try:
        # The day behind it, and the same moment in another time zone, must be dates as well.
        return date(1, 1, 2) < date.fromisoformat(text) < date(9998, 12, 30)
    except ValueError:
        return False


def _duration(freeze: documents.Freeze) -> timedelta:
    return timedelta(seconds=naming.seconds(freeze.duration or ""))


def _ends(freeze: documents.Freeze, moment: datetime) -> datetime | None:
    """When a freeze that holds at a moment ends, by itself; None where it does not hold."""
    local = moment.astimezone(ZoneInfo(zone(freeze)))
    if freeze.schedule is not None:
        return _scheduled(freeze, local)
    today = local.date()
    # With the years around it, so that a span across New Year is not cut there.
    for span in _spans(freeze, (today.year - 1, today.year, today.year + 1)):
        if span.first <= today <= span.last:
            return datetime.combine(span.last + _DAY, time(), local.tzinfo).astimezone(UTC)
    return None


def _scheduled(freeze: documents.Freeze, local: datetime) -> datetime | None:
    """When what the schedule has begun last ends, if it has not yet."""
    # The first tick before the next minute is the one that begins with this minute, or before it.
    next_minute = local.replace(second=0, microsecond=0) + _MINUTE
    try:
        began: datetime = next(CronSim(freeze.schedule or "", next_minute, reverse=True))
    except StopIteration:  # not in fifty years
        return None
    ends = began.astimezone(UTC) + _duration(freeze)
    return ends if ends > local else None


def _spans(freeze: documents.Freeze, years: Iterable[int]) -> tuple[Days, ...]:
    """The days of a freeze; of holidays, those of some years, joined where they follow one on the other."""
    if freeze.first is not None:
        first = date.fromisoformat(freeze.first)
        last = date.fromisoformat(freeze.last) if freeze.last is not None else first
        return (Days(first, last),)
    return tuple(_joined(holidays(freeze.holidays, tuple(years))))


def _joined(dates: Iterable[date]) -> Iterator[Days]:
    """Days that follow one on the other, as one."""
    # Days in a row are all as far from their numbers, so that is what they are grouped by.
    numbered = enumerate(sorted(dates))
    for _, group in itertools.groupby(numbered, key=lambda entry: entry[1] - _DAY * entry[0]):
        entries = [day for _, day in group]
        yield Days(entries[0], entries[-1])


@cache
def holidays(names: tuple[str, ...], years: tuple[int, ...]) -> tuple[date, ...]:
    """The days of some holidays in some years."""
    # Its import takes a quarter of a second, which only those wait who name a holiday.
    from holidays import country_holidays

    in_korean = [_HOLIDAYS.get(name, name) for name in names]
    # In one language, whatever the machine's is: the names are compared.
    calendar = country_holidays("KR", years=years, language="ko")
    return tuple(
        day
        for day, called in calendar.items()
        if "all" in in_korean or any(name in called for name in in_korean)
    )
