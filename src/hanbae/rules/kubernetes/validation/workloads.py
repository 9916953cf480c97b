"""Deployments, StatefulSets, DaemonSets, Jobs and CronJobs (``pkg/apis/{apps,batch}/validation`` of Kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_FIELDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
"""Minute, hour, day, month and day of the week of a schedule."""
_NAMES: Final = {
    3: "jan feb mar apr may jun jul aug sep oct nov dec".split(),  # noqa: SIM905  as cron's manual
    4: "sun mon tue wed thu fri sat".split(),  # noqa: SIM905
}
_MACROS: Final = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}


def deployment(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a Deployment."""
    strategy = shapes.mapping(data.get("strategy"))
    rolling = strategy.get("rollingUpdate")
    place = (*pointer, "strategy", "rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        yield refusals.beside(place, "type: Recreate")
    elif isinstance(rolling, dict):
        # Each of them is 25 % where it is not given.
        unavailable, surge = rolling.get("maxUnavailable", "25%"), rolling.get("maxSurge", "25%")
        if refusals.is_zero(unavailable) and refusals.is_zero(surge):
            yield refusals.Refusal(place, "both-zero", {"field": shapes.shown(place)})
        yield from _at_most_all(rolling, place)
    ready, deadline = data.get("minReadySeconds", 0), data.get("progressDeadlineSeconds", 600)
    if isinstance(ready, int) and isinstance(deadline, int) and deadline <= ready:
        expected = f"more than minReadySeconds ({ready})"
        yield refusals.invalid((*pointer, "progressDeadlineSeconds"), deadline, expected)


def _at_most_all(rolling: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    value = rolling.get("maxUnavailable")
    if not isinstance(value, str) or not value.endswith("%") or not value[:-1].isdecimal():
        return
    if len(value) > len("100%") or int(value[:-1]) > 100:  # noqa: PLR2004  percent
        yield refusals.invalid((*pointer, "maxUnavailable"), value, "at most 100%")


def lasting(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of whatever keeps its pods running: they have no deadline."""
    spec = shapes.mapping(shapes.mapping(data.get("template")).get("spec"))
    if spec.get("activeDeadlineSeconds") is not None:
        place = (*pointer, "template", "spec", "activeDeadlineSeconds")
        yield refusals.beside(place, "restartPolicy: Always")


def stateful_set(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a StatefulSet."""
    strategy = shapes.mapping(data.get("updateStrategy"))
    if strategy.get("type") == "OnDelete" and strategy.get("rollingUpdate") is not None:
        yield refusals.beside((*pointer, "updateStrategy", "rollingUpdate"), "type: OnDelete")
    partition = shapes.mapping(strategy.get("rollingUpdate")).get("partition")
    if isinstance(partition, int) and partition < 0:
        place = (*pointer, "updateStrategy", "rollingUpdate", "partition")
        yield refusals.invalid(place, partition, "0 or more")


def daemon_set(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a DaemonSet: of its two numbers exactly one is not 0."""
    rolling = shapes.mapping(data.get("updateStrategy")).get("rollingUpdate")
    if not isinstance(rolling, dict):
        return
    place = (*pointer, "updateStrategy", "rollingUpdate")
    unavailable, surge = rolling.get("maxUnavailable", 1), rolling.get("maxSurge", 0)
    if refusals.is_zero(unavailable) and refusals.is_zero(surge):
        yield refusals.Refusal(place, "both-zero", {"field": shapes.shown(place)})
    elif not refusals.is_zero(unavailable) and not refusals.is_zero(surge):
        yield refusals.beside((*place, "maxSurge"), "maxUnavailable")


def job(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a Job."""
    indexed = data.get("completionMode") == "Indexed"
    # With neither of the two numbers the server takes 1 for both.
    if indexed and data.get("completions") is None and data.get("parallelism") is not None:
        yield refusals.missing(pointer, "completions", "completionMode: Indexed")
    for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if data.get(name) is not None and not indexed:
            yield refusals.beside((*pointer, name), "completionMode: NonIndexed")
    if data.get("selector") is not None and data.get("manualSelector") is not True:
        yield refusals.beside((*pointer, "selector"), "manualSelector: false")
    restart = shapes.mapping(shapes.mapping(data.get("template")).get("spec")).get("restartPolicy")
    if data.get("podFailurePolicy") is not None and restart == "OnFailure":
        yield refusals.beside((*pointer, "podFailurePolicy"), "restartPolicy: OnFailure")


def cron_job(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a CronJob, the Job in it included."""
    schedule, zone = data.get("schedule"), data.get("timeZone")
    if isinstance(schedule, str) and schedule:
        if "TZ=" in schedule:
            yield refusals.invalid((*pointer, "schedule"), schedule, "timeZone")
        elif not is_schedule(schedule):
            yield refusals.invalid((*pointer, "schedule"), schedule, "* * * * *")
    if isinstance(zone, str) and zone not in _zones():
        yield refusals.invalid((*pointer, "timeZone"), zone, "Asia/Seoul")
    for name in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        number = data.get(name)
        if isinstance(number, int) and number < 0:
            yield refusals.invalid((*pointer, name), number, "0 or more")
    inner = shapes.mapping(shapes.mapping(data.get("jobTemplate")).get("spec"))
    yield from job(inner, (*pointer, "jobTemplate", "spec"))


@cache
def _zones() -> frozenset[str]:
    """The names of the time zones; to list them every file of the database is opened."""
    return frozenset(available_timezones())


def is_schedule(text: str) -> bool:
    """Whether cron's parser of Kubernetes (robfig/cron, standard) takes a schedule."""
    if text.startswith("@"):
        name, _, duration = text.partition(" ")
        return text in _MACROS or (name == "@every" and duration[-1:] in {"s", "m", "h"})
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return False
    return all(_is_field(part.lower(), index) for index, part in enumerate(parts))


def _is_field(text: str, index: int) -> bool:
    return all(_is_range(part, index) for part in text.split(","))


def _is_range(text: str, index: int) -> bool:
    least, most = _FIELDS[index]
    bounds, slash, step = text.partition("/")
    # int() raises an error over some thousand digits; so many are out of range anyway.
    if slash and not (step.isdecimal() and len(step) < len("100000") and int(step) > 0):
        return False
    if bounds in {"*", "?"}:
        return True
    first, dash, last = bounds.partition("-")
    numbers = [_number(part, index) for part in ((first, last) if dash else (first,))]
    if any(number is None or not least <= number <= most for number in numbers):
        return False
    return len(numbers) == 1 or (numbers[0] or 0) <= (numbers[1] or 0)


def _number(text: str, index: int) -> int | None:
    names = _NAMES.get(index, [])
    if text in names:
        return names.index(text) + _FIELDS[index][0]
    return int(text) if text.isdecimal() and len(text) < len("100000") else None
