"""How long a step may take, and when people are told what is awaited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, Self

from msgspec import Struct

from hanbae import wording
from hanbae.engines import protocol
from hanbae.policy import documents, naming
from hanbae.results import events, plans

LOG_SETTLES: Final = 0.2
"""Seconds in which more log lines may come before causes are looked for again."""


class Limit(Struct, frozen=True):
    """The time that a person gives a deployment.

    Attributes:
        seconds: How long that is, as they wrote it.
        ends: When it is over, by the clock that it was begun with.
    """

    seconds: float
    ends: float

    @classmethod
    def beginning(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """The limit that begins now."""
        return cls(seconds, clock() + seconds)

    def left(self, clock: Callable[[], float] = time.monotonic) -> float:
        """Seconds until it is over; negative afterwards."""
        return self.ends - clock()


class Pace:
    """The times of one step.

    The deadline is the policy's for a rollout, and one for migrations for each hook before it.

    Args:
        policy: The policy.
        does: The step.
        limit: The person's own limit, by the same clock; None for the policy's deadlines only.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        policy: documents.Policy,
        does: plans.Effect,
        *,
        limit: Limit | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        began = clock()
        hooks = naming.seconds(policy.migrations.deadline) * len(does.hooks)
        self._own = naming.seconds(policy.rollout.deadline) + hooks
        self._limit = limit
        self._ends = self._began(began)
        self._held = False
        self._stalled_after = naming.seconds(policy.rollout.stalled_after)
        self._last = began
        self._reported = False
        self._dirty = False

    def _began(self, now: float) -> float:
        """When everything must be over, if its own time begins now."""
        limit, own = self._limit, now + self._own
        if limit is not None and limit.ends < own:
            self._seconds = (
                limit.seconds
            )  # not what is left of them: the sentence repeats the person's number
            return limit.ends
        self._seconds = self._own
        return own

    def holds(self, blocked: bool) -> None:
        """Whether something else keeps the step from beginning; its own time begins when that has ended."""
        if self._held and not blocked:
            self._ends = self._began(self._clock())
        self._held = blocked

    @property
    def over(self) -> bool:
        """The time is over."""
        return self._clock() >= self._ends

    @property
    def deadline(self) -> wording.Text:
        """The sentence about it."""
        return wording.Text("deploy.deadline", {"seconds": f"{self._seconds:.10g}"})

    def within(self, verdict: float | None) -> float:
        """Seconds until something must be decided although nothing is seen.

        Args:
            verdict: Seconds until a verdict could fall, or None.
        """
        now = self._clock()
        times = [self._ends - now]
        if verdict is not None:
            times.append(verdict)
        if not self._reported:
            times.append(self._last + self._stalled_after - now)
        if self._dirty:
            times.append(LOG_SETTLES)
        return max(min(times), 0.0)

    def saw(self, fact: protocol.EngineEvent | None) -> None:
        """Something was seen, or nothing for the time of `within`."""
        if fact is not None:
            self._last = self._clock()
            self._reported = False

    def looks(self, fact: protocol.EngineEvent | None) -> bool:
        """Whether causes are worth looking for now: not after each line of a log that is being written."""
        self._dirty = isinstance(fact, events.Logged)
        return not self._dirty

    def stalled(self, awaits: tuple[wording.Text, ...], now: datetime) -> Iterator[wording.Text]:
        """Since when nothing has been seen, once that is long enough, and what is awaited."""
        silent = self._clock() - self._last
        if not self._reported and silent >= self._stalled_after:
            self._reported = True
            since = (now - timedelta(seconds=silent)).strftime("%Y-%m-%d %H:%M:%S")
            facts = {"seconds": str(round(silent)), "since": since}
            yield wording.Text("deploy.stalled", facts)
            yield from awaits
