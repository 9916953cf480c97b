"""The record of one deployment while it is written: masked, committed, and only then shown."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import structs

from hanbae import subjects, wording
from hanbae.history import stores
from hanbae.results import checklists, events
from hanbae.streams import channels

LINES: Final = 50
"""Last lines of each container's log that are remembered, for causes."""


class Record:
    """Writes the events of one deployment.

    Args:
        store: The history.
        deployment: The deployment's id.
        channel: To whoever shows them.
        clock: The time.
        past: What was recorded before a crash; what a watch shows again of it is not recorded twice.
        typed: Completes a command for a person; by default it is complete.
        tells: Is given each event, for others than who watches.

    Attributes:
        deployment: The deployment's id.
    """

    def __init__(
        self,
        store: stores.Store,
        deployment: str,
        channel: channels.Channel[events.Event],
        clock: Callable[[], datetime],
        *,
        past: Iterable[events.Event] = (),
        typed: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple,
        tells: Callable[[events.Event], None] | None = None,
    ) -> None:
        self.redact: Callable[[str], str] = str
        """The one redactor; the engine's, as soon as there is one."""
        self.written = False
        """Whether anything was added by this driver."""
        self._store = store
        self.deployment = deployment
        self._channel = channel
        self._clock = clock
        self._typed = typed
        self._tells = tells
        self._lines: dict[tuple[subjects.Ref, str], deque[str]] = {}
        # Counted, because a log may contain the same line several times.
        self._past: Counter[events.Logged | tuple[str, str]] = Counter()
        self._states: dict[subjects.Ref, events.Observed] = {}
        for event in past:
            if isinstance(event.fact, events.Logged | events.Began):
                self._past[_identity(event.fact)] += 1
            elif isinstance(event.fact, events.Observed):
                self._states[event.fact.on] = event.fact

    def seen_before(self, recorded: Iterable[events.Event]) -> None:
        """Log lines that another deployment has recorded of the same operation are not recorded, or shown, as new."""
        self._past.update(event.fact for event in recorded if isinstance(event.fact, events.Logged))

    def now(self) -> datetime:
        """The time, by the clock that stamps the events."""
        return self._clock()

    @property
    def logs(self) -> Mapping[tuple[subjects.Ref, str], Sequence[str]]:
        """The last lines of each container by pod and container."""
        return self._lines

    async def add(self, step: str | None, fact: events.Fact) -> None:
        """Mask a fact, commit it to the history, then show it."""
        self.written = True
        fact = masked(fact, self.redact)
        if isinstance(fact, events.Diagnosed | events.Closed):
            fact = structs.replace(fact, command=self._typed(fact.command))
        if isinstance(fact, events.Logged):
            key = (fact.pod, fact.container)
            self._lines.setdefault(key, deque(maxlen=LINES)).append(fact.line)
        # The line was kept above in any case: causes are looked for in those lines.
        if self._is_past(fact):
            return
        event = self._store.append(self.deployment, step, fact, self._clock())
        if self._tells is not None:
            self._tells(event)
        await self._channel.put(event)

    def _is_past(self, fact: events.Fact) -> bool:
        """Whether this was recorded before the crash, and is only seen again."""
        if isinstance(fact, events.Logged | events.Began) and self._past[_identity(fact)]:
            self._past[_identity(fact)] -= 1
            return True
        if isinstance(fact, events.Observed):
            # Only the first state seen of an object can repeat the one that was recorded last.
            return self._states.pop(fact.on, None) == fact
        return False


def _identity(fact: events.Logged | events.Began) -> events.Logged | tuple[str, str]:
    """By which a fact is known again; what an older hanbae has not recorded of an operation makes it no other one."""
    return (fact.operation, fact.revision) if isinstance(fact, events.Began) else fact


def masked(fact: events.Fact, redact: Callable[[str], str]) -> events.Fact:
    """A fact without secrets in the words that come from elsewhere."""
    match fact:
        case events.Began() | events.Observed() | events.Logged():
            return _of_cluster(fact, redact)
        case events.Diagnosed():
            return structs.replace(fact, cause=_text(fact.cause, redact))
        case events.Noted():
            return structs.replace(fact, text=_text(fact.text, redact))
        case events.Closed() | events.Decided():
            return _ended(fact, redact)
        case _:
            return fact


def _of_cluster(
    fact: events.Began | events.Observed | events.Logged, redact: Callable[[str], str]
) -> events.Fact:
    """The cluster's own words, without secrets."""
    match fact:
        case events.Began():
            return structs.replace(fact, options=tuple(map(redact, fact.options)))
        case events.Observed():
            return structs.replace(fact, reason=redact(fact.reason), message=redact(fact.message))
        case events.Logged():
            return structs.replace(fact, line=redact(fact.line))


def _ended(
    fact: events.Closed | events.Decided, redact: Callable[[str], str]
) -> events.Closed | events.Decided:
    """What sums a deployment up, without secrets."""
    match fact:
        case events.Decided(checked=checked):
            decisions = tuple(_decision(decision, redact) for decision in checked.decisions)
            return events.Decided(structs.replace(checked, decisions=decisions))
        case events.Closed():
            return structs.replace(
                fact,
                why=_text(fact.why, redact),
                command=tuple(map(redact, fact.command)),
            )


def _decision(decision: checklists.Decision, redact: Callable[[str], str]) -> checklists.Decision:
    return structs.replace(
        decision,
        evidence=tuple(_text(text, redact) for text in decision.evidence),
        command=tuple(map(redact, decision.command)),
    )


def _text(text: wording.Text, redact: Callable[[str], str]) -> wording.Text:
    return wording.Text(text.id, {name: redact(value) for name, value in text.facts.items()})
