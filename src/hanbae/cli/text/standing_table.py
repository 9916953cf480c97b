"""Where services stand, as a table of services by environments, and as one line for each that changes.

Where the table does not fit, each is a line, too.

A cell begins with what runs and for how long; below it, each in a line of its own, is only what somebody has to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from hanbae import wording
from hanbae.cli.text import catalogue, tables, wrapping
from hanbae.results import standings

_CELLS: Final = {
    "current": "status.current",
    "behind": "status.behind",
    "unseen": "status.unseen",
    "drifted": "status.drifted",
    "busy": "status.busy",
    "progressing": "status.progressing",
    "degraded": "status.degraded",
    "absent": "status.absent",
    "unknown": "status.unknown",
}
_ENDED_WELL: Final = frozenset({"", "succeeded", "running"})
_AGES: Final = ((86400, "status.days"), (3600, "status.hours"), (60, "status.minutes"))
_SHORT: Final = 7
_LONGEST: Final = 20
"""Columns of a version or of a gate; the rest is in JSON."""


def table(listed: standings.Standings, now: datetime) -> str:
    """Services by environments."""
    rows = list(dict.fromkeys(standing.service for standing in listed.standings))
    frozen = {entry.environment for entry in listed.frozen}
    # Where there is room for it, the version stands before the commit; else in a line of its own.
    wide: dict[str, list[str]] = {}
    narrow: dict[str, list[str]] = {}
    for standing in listed.standings:
        for cells, is_wide in ((wide, True), (narrow, False)):
            heading = _heading(standing.environment, is_frozen=standing.environment in frozen)
            cell = "\n".join(_cell(standing, listed, now, is_wide=is_wide))
            cells.setdefault(heading, []).append(cell)
    corner = catalogue.words("deploy.column-service")
    lines = [line(standing, listed, now) for standing in listed.standings]
    return tables.matrix(rows, narrow, corner=corner, wide=wide, listed=lines)


def line(standing: standings.Standing, listed: standings.Standings, now: datetime) -> str:
    """Where one service stands in one environment, in one line."""
    cell = " · ".join(_cell(standing, listed, now, is_wide=True))
    frozen = any(entry.environment == standing.environment for entry in listed.frozen)
    environment = _heading(standing.environment, is_frozen=frozen)
    return f"{standing.service} {environment}: {cell}"


def _heading(environment: str, *, is_frozen: bool) -> str:
    facts = {"environment": environment}
    return catalogue.sentence(wording.Text("status.frozen", facts)) if is_frozen else environment


def _cell(
    standing: standings.Standing, listed: standings.Standings, now: datetime, *, is_wide: bool
) -> Iterator[str]:
    """The lines of a cell."""
    # An image that is tagged with the commit would have the cell say the same twice.
    is_commit = len(standing.version) >= _SHORT and standing.deployed.startswith(standing.version)
    version = "" if is_commit else wrapping.clip(catalogue.printable(standing.version), _LONGEST)
    facts = {"revision": standing.deployed[:_SHORT], "age": age(standing.since, now)}
    words = catalogue.sentence(wording.Text(_CELLS[standing.state], facts))
    state = catalogue.printable(words.strip())
    if is_wide or not version:
        yield f"{version} {state}".strip()
    else:
        yield state
        yield version
    yield from _marks(standing, listed)


def _marks(standing: standings.Standing, listed: standings.Standings) -> Iterator[str]:
    """What somebody has to know of it, each in a few words."""
    if standing.pending:
        facts = {"count": str(len(standing.pending))}
        yield catalogue.sentence(wording.Text("status.pending", facts))
    place = (standing.service, standing.environment)
    if any(
        (held_service.service, held_service.environment) == place for held_service in listed.held
    ):
        yield catalogue.words("status.held")
    if standing.outcome not in _ENDED_WELL:
        facts = {"outcome": catalogue.words(f"deploy.outcome-{standing.outcome}")}
        yield catalogue.sentence(wording.Text("status.last", facts))
    for gate in standing.gates:
        yield f"✘ {wrapping.clip(catalogue.printable(gate), _LONGEST)}"


def age(since: str, now: datetime) -> str:
    """How long ago a time is, in its largest unit; empty where it is not one."""
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        return ""
    seconds = int((now - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds())
    for unit, text_id in _AGES:
        if seconds >= unit:
            return catalogue.sentence(wording.Text(text_id, {"count": str(seconds // unit)}))
    return catalogue.words("status.moments")
