"""What a person is told of a deployment's events: the same lines for a terminal, a CI log and the demo.

The cluster's own words stay as they are; sentences of ours come from the catalogue.
Text from clusters and containers is foreign: control characters, with which a log line could move the cursor or
rename the window, are taken out here.
"""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from hanbae import excerpts, wording
from hanbae.cli.text import catalogue, escaping, wrapping
from hanbae.results import checklists, events, plans

Meaning = Literal["step", "done", "note", "warn", "fail", "state", "log", "command"]

MARKS: Final[dict[Meaning, tuple[str, str]]] = {
    "step": ("▸", "cyan"),
    "done": ("✔", "green"),
    "note": ("·", "blue"),
    "warn": ("!", "yellow"),
    "fail": ("✘", "red"),
    "state": (" ", "bright_black"),
    "log": ("│", ""),
    "command": ("→", "cyan"),
}
"""Meaning → mark and colour."""

AS_WRITTEN: Final[frozenset[Meaning]] = frozenset({"log", "command"})
"""Meanings of lines that are shown as they were written, however long: they are searched for, or pasted."""

_STATE: Final = 200
"""Characters of a state that are shown; the history has it all, and a cause is told in full."""
_REMEMBERED: Final = 200
"""Lines of logs, per deployment, that are not quoted a second time."""
_QUIET: Final = frozenset({"Pending", "ContainerCreating"})
"""States that come and go with every pod and tell nobody anything."""


class Line(Struct, frozen=True):
    """One line for a person.

    Attributes:
        meaning: What kind of line it is.
        words: The line, worded, without control characters.
    """

    meaning: Meaning
    words: str


class Quoting:
    """The lines of a run's events, with each line of a log once: as it came, and not again below a cause.

    The sentence with which a deployment ends keeps its lines, because people read the end. A fatal cause is one
    sentence when it is named: the end says it again, with its log and its command.
    That a deployment begins is told with the first thing that it does: one that is refused has begun nothing.
    """

    def __init__(self) -> None:
        self._quoted: dict[str, deque[str]] = {}
        self._opened: dict[str, events.Event] = {}
        self._by_helm: set[str] = set()

    def lines(self, event: events.Event) -> Iterator[Line]:
        """The lines for an event that nothing before it has shown."""
        if isinstance(event.fact, events.Opened):
            self._opened[event.deployment] = event
            if any(isinstance(step.does, plans.Upgrade) for step in event.fact.plan.steps):
                self._by_helm.add(event.deployment)
            return
        if event.deployment in self._opened and _shows_beginning(event.fact):
            yield from lines(self._opened.pop(event.deployment))
        yield from self._quoted_once(event)

    def _quoted_once(self, event: events.Event) -> Iterator[Line]:
        fact = event.fact
        if isinstance(fact, events.Began) and event.deployment in self._by_helm:
            yield _line("step", wording.Text("deploy.began-helm"))
            return
        quoted = self._quoted.setdefault(event.deployment, deque(maxlen=_REMEMBERED))
        for line in lines(event):
            if isinstance(fact, events.Diagnosed) and line.meaning in AS_WRITTEN:
                # The record of what is being watched shows nothing more.
                shows_this = line.words == f"hanbae history show {event.deployment}"
                if fact.fatal or shows_this or line.words in quoted:
                    continue
                quoted.append(line.words)
            elif isinstance(fact, events.Logged):
                # Without the name of the container in front: that is how a cause quotes it.
                quoted.append(escaping.line(fact.line))
            yield line


def _shows_beginning(fact: events.Fact) -> bool:
    """Whether something was begun, so that the deployment is no mere attempt.

    What is waited for, and why another operation does not go on, may yet be a reason to refuse.
    """
    if isinstance(fact, events.Closed):
        return fact.outcome != "refused"
    begun = events.Began | events.Logged | events.Proved | events.TakenBack | events.Migrated
    return isinstance(fact, begun)


def lines(event: events.Event) -> Iterator[Line]:
    """The lines for an event; none for those that nobody needs to see."""
    yield from of_fact(event.fact, deployment=event.deployment)


def of_fact(fact: events.Fact, *, deployment: str = "") -> Iterator[Line]:
    """The lines for what has happened, wherever it is recorded.

    Args:
        fact: What has happened.
        deployment: Id of the deployment that it belongs to, if to one.
    """
    match fact:
        case events.Opened():
            yield _opened("deploy.opened", fact, deployment)
        case events.Began():
            yield _began(fact)
        case events.Observed() as observed:
            yield from _observed(observed)
        case events.Logged(container=container, line=line):
            yield Line("log", f"{container}: {escaping.line(line)}")
        case events.Proved() | events.TakenBack() | events.Migrated():
            yield from _of_database(fact)
        case events.Diagnosed(cause=cause, command=command, fatal=fatal):
            yield from _text("fail" if fatal else "warn", cause)
            yield from _command(command)
        case events.Noted(text=text):
            yield from _text("note", text)
        case events.Decided(checked=checked):
            yield from _failed(checked)
        case events.Closed():
            yield from _closed(fact)
        case _:
            return


def _failed(checked: checklists.Checked) -> Iterator[Line]:
    """The items of a checklist that have failed; what was seen of them is in the end's sentence and the history."""
    for decision in checklists.failed([checked]):
        item = decision.text or catalogue.words(f"checklist.item-{decision.item}")
        yield _line("fail", wording.Text("checklist.item-failed", {"item": item}))


def _closed(fact: events.Closed) -> Iterator[Line]:
    yield from _text("done" if fact.outcome == "succeeded" else "fail", fact.why)
    yield from _command(fact.command)


def _began(fact: events.Began) -> Line:
    how = "deploy.began-automated" if fact.automated else "deploy.began-manual"
    return _line("step", wording.Text(how))


def laid_out(cause: events.Diagnosed, *, width: int, indent: str = "") -> Iterator[str]:
    """A cause as the lines of a terminal; its log and its command are not broken.

    Args:
        cause: The cause.
        width: Columns that sentences may take.
        indent: What each line begins with.
    """
    for line in of_fact(cause):
        head = f"{indent}{MARKS[line.meaning][0]} "
        if line.meaning in AS_WRITTEN:
            yield head + line.words
        else:
            yield from wrapping.paragraph(line.words, width, head=head, indent=f"{indent}  ")


def short(observed: events.Observed) -> str:
    """An observed state in one line."""
    parts = [observed.state]
    if observed.reason and observed.reason not in observed.message:
        parts.append(observed.reason)
    line = f"{observed.on.kind}/{observed.on.name}: {' '.join(parts)}"
    message = catalogue.pods(observed.message)
    whole = escaping.line(f"{line}: {message}" if message else line)
    return excerpts.clipped(whole, _STATE)


def attempted(opened: events.Opened, *, deployment: str) -> Line:
    """The line for the beginning of a deployment that was refused."""
    return _opened("deploy.attempted", opened, deployment)


def _opened(text_id: str, opened: events.Opened, deployment: str) -> Line:
    facts = {
        "environment": opened.plan.environment,
        "revision": opened.revision[:12],
        "by": opened.by,
        "deployment": deployment,
    }
    return _line("step", wording.Text(text_id, facts))


def _observed(observed: events.Observed) -> Iterator[Line]:
    if observed.state in _QUIET or (observed.on.kind == "Application" and not observed.message):
        return
    yield Line("state", short(observed))


def _proved(proved: events.Proved) -> wording.Text:
    facts = {
        "database": proved.database,
        "files": str(proved.files),
        "version": str(proved.version),
        "applied": ", ".join(proved.names or map(str, proved.applied)),
    }
    return wording.Text("deploy.proved" if proved.applied else "deploy.proved-nothing-new", facts)


def _of_database(
    fact: events.Proved | events.TakenBack | events.Migrated,
) -> Iterator[Line]:
    if isinstance(fact, events.Proved):
        yield _line("done", _proved(fact))
        for text in fact.drift:
            yield from _text("warn" if events.is_drift(text) else "note", text)
    elif isinstance(fact, events.TakenBack):
        yield _line("done", _taken_back(fact))
    else:
        yield _line("note", _migrated(fact))


def _taken_back(fact: events.TakenBack) -> wording.Text:
    facts = {
        "database": fact.database,
        "version": str(fact.version),
        "files": ", ".join(fact.names),
    }
    text_id = "rollback.taken-back" if fact.names else "rollback.nothing-to-take-back"
    return wording.Text(text_id, facts)


def _migrated(migrated: events.Migrated) -> wording.Text:
    facts = {
        "database": migrated.database,
        "files": str(migrated.files),
        "version": "-" if migrated.version is None else str(migrated.version),
        "reached": str(migrated.reached),
        "applied": ", ".join(migrated.names),
        "failed": migrated.failed,
    }
    has_failed = bool(migrated.failed)
    if migrated.version is None:
        unknown = "deploy.migrated-unknown-failed" if has_failed else "deploy.migrated-unknown"
        return wording.Text(unknown, facts)
    if not migrated.names:
        nothing = "deploy.migrated-nothing-failed" if has_failed else "deploy.migrated-nothing"
        return wording.Text(nothing, facts)
    applied = "deploy.migrated-applied-failed" if has_failed else "deploy.migrated-applied"
    return wording.Text(applied, facts)


def _text(meaning: Meaning, text: wording.Text) -> Iterator[Line]:
    """A sentence, and below it the last lines of the log that belongs to it."""
    first, *more = catalogue.sentence(text).split("\n")
    yield Line(meaning, escaping.line(first))
    for line in more:
        yield Line(meaning, escaping.line(line))
    for line in text.facts.get("log", "").splitlines():
        yield Line("log", escaping.line(line))


def _command(command: tuple[str, ...]) -> Iterator[Line]:
    """The next command, where there is one."""
    if command:
        yield Line("command", escaping.line(shlex.join(command)))


def _line(meaning: Meaning, text: wording.Text) -> Line:
    return Line(meaning, escaping.line(catalogue.sentence(text)))
