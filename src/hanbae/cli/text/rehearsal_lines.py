"""A rehearsal for people: what is wrong first in each database, and numbers beside what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from hanbae import wording
from hanbae.cli.text import catalogue, escaping
from hanbae.results import rehearsals

_MOST_LINES: Final = 20
"""Lines of a schema's difference that are shown; the JSON has all of them."""
_GOOD, _BAD, _NOTE = "✔ ", "✘ ", "! "
_WAYS_UP: Final = {
    "nothing": ("rehearsal.stopped-nothing", "rehearsal.none-nothing", "rehearsal.ran-nothing"),
    "": (
        "rehearsal.stopped-environment",
        "rehearsal.none-environment",
        "rehearsal.ran-environment",
    ),
}
"""Where a way up begins → what is said where goose stopped, had nothing to do, and came to the end."""
_LOCKS: Final[dict[rehearsals.Blocks, tuple[str, str, str]]] = {
    "reads and writes": (
        "rehearsal.lock-all",
        "rehearsal.lock-all-timed",
        "rehearsal.lock-all-unnamed",
    ),
    "writes": (
        "rehearsal.lock-writes",
        "rehearsal.lock-writes-timed",
        "rehearsal.lock-writes-unnamed",
    ),
}
"""What a lock blocks → what is said where it was noted alone, was seen from the second connection as well, and was only
seen: then nobody knows which statement took it."""


class Line(Struct, frozen=True):
    """One line.

    Attributes:
        words: The sentence.
        head: What it begins with.
        indent: What its other lines begin with.
    """

    words: str
    head: str = ""
    indent: str = "    "


def lines(rehearsal: rehearsals.Rehearsal) -> Iterator[Line]:
    """The rehearsal, line by line."""
    facts = {
        "service": rehearsal.service,
        "revision": rehearsal.revision[:12] or catalogue.words("rehearsal.working-tree"),
        "server": rehearsal.server,
    }
    yield _line("", "rehearsal.title", facts, depth=0)
    for database in rehearsal.databases:
        yield _line("", "rehearsal.database", _of(database), depth=0)
        for run in database.runs:
            yield from _run(run, rehearsal.budget)
        yield from _backs(database)
    for text_id in rehearsal.unseen:
        yield _line(_NOTE, text_id, {}, depth=0)
    verdict = "rehearsal.failed" if rehearsal.failed else "rehearsal.passed"
    yield _line(_BAD if rehearsal.failed else _GOOD, verdict, facts, depth=0)


def _of(database: rehearsals.Database) -> dict[str, str]:
    return {"database": database.name, "files": str(database.files)}


def _run(run: rehearsals.Run, budget: float) -> Iterator[Line]:
    facts = {
        "start": run.start,
        "version": str(run.version),
        "count": str(len(run.steps)),
        "seconds": f"{sum(step.seconds for step in run.steps):.2f}",
        "file": run.failed,
    }
    stopped, none, ran = _WAYS_UP["nothing" if run.start == "nothing" else ""]
    if run.failed:
        yield _line(_BAD, stopped, facts)
        for words in run.error.splitlines()[:_MOST_LINES]:
            yield Line(escaping.line(words), "    │ ", "    │ ")
    else:
        yield _line(_GOOD, ran if run.steps else none, facts)
    if run.image:
        yield _line("· ", "rehearsal.of-image", {"image": run.image}, depth=2)
    for table in run.filled:
        if table.why_not:
            about = {"table": table.table, "rows": str(table.rows), "reason": table.why_not}
            text_id = "rehearsal.few-rows" if table.rows else "rehearsal.not-filled"
            yield _line(_NOTE, text_id, about, depth=2)
    for step in run.steps:
        yield from _step(step, budget)


def _step(step: rehearsals.Step, budget: float) -> Iterator[Line]:
    facts = {"file": step.file, "seconds": f"{step.seconds:.2f}", "budget": f"{budget:g}"}
    text_id = "rehearsal.step-slow" if step.is_slow else "rehearsal.step"
    yield _line(_BAD if step.is_slow else "· ", text_id, facts, depth=2)
    for table in step.rewritten:
        yield _line(_NOTE, "rehearsal.rewritten", {"table": table}, depth=3)
    for lock in step.locks:
        about = {
            "relation": lock.relation,
            "mode": lock.mode,
            "statement": lock.statement,
            "seen": f"{lock.seen:.2f}",
        }
        noted, timed, unnamed = _LOCKS[lock.blocks]
        text_id = timed if lock.seen > 0 else noted
        yield _line(_NOTE, text_id if lock.statement else unnamed, about, depth=3)


def _backs(database: rehearsals.Database) -> Iterator[Line]:
    if not database.is_settled:
        yield _line(_BAD, "rehearsal.unsettled", _of(database))
    restored = sum(1 for back in database.backs if back.outcome == "restored")
    if restored:
        yield _line(_GOOD, "rehearsal.restored", {"count": str(restored)})
    for back in database.backs:
        facts = {"file": back.file, "version": str(back.version)}
        if back.outcome == "none":
            yield _line(_NOTE, "rehearsal.no-way-back", facts)
        elif back.outcome != "restored":
            failed = back.outcome == "failed"
            text_id = "rehearsal.back-failed" if failed else "rehearsal.back-differs"
            yield _line(_BAD, text_id, facts)
            for words in (*back.differing, *back.error.splitlines())[:_MOST_LINES]:
                yield Line(escaping.line(words), "    │ ", "    │ ")


def _line(mark: str, text_id: str, facts: dict[str, str], *, depth: int = 1) -> Line:
    room = "  " * depth
    return Line(catalogue.sentence(wording.Text(text_id, facts)), room + mark, room + "  ")


def markdown(rehearsal: rehearsals.Rehearsal) -> str:
    """The rehearsal as a comment for a merge request."""
    title, *rest = lines(rehearsal)
    # The lines stand inside a fence, which foreign text such as an error of goose must not end.
    body = "\n".join(f"{line.head}{line.words}" for line in rest).replace("```", "'''")
    verdict = "❌" if rehearsal.failed else "✅"
    return f"### {verdict} {escaping.line(title.words)}\n\n```text\n{body}\n```"
