"""When a deployment is given up: not at the first trouble, and not long after it is sure that waiting is of no use.

A failed attempt warns.
The verdict falls when a cause that cannot heal by itself has lasted for fifteen seconds: long enough for what only
looks like one, such as a Secret that comes a moment after its pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hanbae import subjects
from hanbae.diagnosing import pictures
from hanbae.results import events

PATIENCE: Final = 15.0
"""Seconds that a fatal cause must last."""
FLICKER: Final = 6.0
"""Seconds that it may be out of sight in between: a pull that failed is tried again, a Job makes another pod."""

LOG_COMES: Final = 0.7
"""Seconds for which a cause waits for the log that belongs to it, before it is told without."""

Key = tuple[subjects.Ref, str]


class Judge:
    """Remembers causes, and for how long each has lasted.

    Args:
        clock: Seconds that never go back.
        patience: Seconds that a fatal cause must last.
        flicker: Seconds that it may be out of sight.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        patience: float = PATIENCE,
        flicker: float = FLICKER,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._flicker = flicker
        self._diagnoses: dict[Key, events.Diagnosed] = {}
        self._since: dict[Key, float] = {}
        self._last: dict[Key, float] = {}
        self._fatal: dict[Key, events.Diagnosed] = {}
        self._settled: set[Key] = set()
        self._symptoms: set[Key] = set()
        self._held: dict[Key, tuple[float, events.Diagnosed]] = {}
        self._present: set[Key] = set()
        self._hopeless: set[Key] = set()

    @property
    def gravest(self) -> events.Diagnosed | None:
        """The cause to name when all is over: the longest fatal one, else the last one; a symptom only if alone."""
        # What is out of sight by now may have passed, so it is named only where nothing else can be.
        for since in (self._lasting(), self._since):
            lasting = [key for key in since if key not in self._symptoms]
            if lasting:
                return self._fatal[min(lasting, key=since.__getitem__)]
        named = sorted(
            self._diagnoses, key=lambda key: (key not in self._symptoms, self._diagnoses[key].fatal)
        )
        return self._diagnoses[named[-1]] if named else None

    @property
    def counts(self) -> bool:
        """Whether a fatal cause goes on counting, be it out of sight for a moment."""
        return bool(self._since)

    @property
    def stands(self) -> bool:
        """Whether a cause that was told is still there."""
        return any(key in self._diagnoses for key in self._present)

    def hear(self, causes: Iterable[pictures.Cause]) -> Iterator[events.Diagnosed]:
        """The causes at this moment.

        Yields:
            Those to tell: new ones, and those that have become fatal.
        """
        now = self._clock()
        self._present = set()
        self._hopeless = set()
        for cause in causes:
            key, diagnosed = cause.key, cause.diagnosis
            self._present.add(key)
            if cause.is_symptom:
                self._symptoms.add(key)
            if diagnosed.fatal:
                self._hopeless.add(key)
                self._since.setdefault(key, now)
                if cause.is_settled:
                    self._settled.add(key)
                self._last[key] = now
                self._fatal[key] = diagnosed
            before = self._diagnoses.get(key)
            if self._is_overtaken(key, diagnosed):
                continue
            if (before is None or _says_more(before, diagnosed)) and not self._holds(
                key, diagnosed, now
            ):
                self._diagnoses[key] = diagnosed
                yield diagnosed
        for key in [key for key in self._since if key not in self._hopeless]:
            if now - self._last[key] > self._flicker:
                del self._since[key], self._last[key], self._fatal[key]
                self._settled.discard(key)

    def rest(self) -> Iterator[events.Diagnosed]:
        """What was held back for its log, now that none comes any more."""
        for key, (_, diagnosed) in self._held.items():
            if not self._is_overtaken(key, diagnosed):
                self._diagnoses[key] = diagnosed
                yield diagnosed
        self._held.clear()

    def verdict(self) -> events.Diagnosed | None:
        """The fatal cause that has lasted long enough, or None."""
        now = self._clock()
        for key, since in sorted(self._lasting().items(), key=lambda item: item[1]):
            if now - since >= self._patience_for(key):
                # A symptom may end the wait, but the verdict names the cause behind it.
                return self.gravest if key in self._symptoms else self._fatal[key]
        return None

    def _lasting(self) -> dict[Key, float]:
        """Since when the fatal causes last that are there now, or have had their attempts.

        One that is out of sight may be gone: its pod has started, or an Event has said that it heals.
        """
        standing = self._hopeless | self._settled
        return {key: since for key, since in self._since.items() if key in standing}

    def _patience_for(self, key: Key) -> float:
        """What has had its attempts is only waited for until its log is there."""
        return LOG_COMES if key in self._settled else self._patience

    def within(self) -> float | None:
        """Seconds until a verdict could fall, or a cause is told without its log; None when neither can be."""
        times = [since + self._patience_for(key) for key, since in self._lasting().items()]
        times += [since + LOG_COMES for since, _ in self._held.values()]
        return max(min(times) - self._clock(), 0.0) if times else None

    def _is_overtaken(self, key: Key, diagnosed: events.Diagnosed) -> bool:
        """Whether it is sure by now that the same object has failed: then its failed attempts are no news."""
        return not diagnosed.fatal and any(ref == key[0] for ref, _ in self._settled)

    def _holds(self, key: Key, diagnosed: events.Diagnosed, now: float) -> bool:
        """Whether a cause is not told yet, because the log that says more is about to come."""
        # Without this fact there is no log to wait for; an empty one has not come yet.
        if diagnosed.cause.facts.get("log", "-"):
            self._held.pop(key, None)
            return False
        since, _ = self._held.get(key, (now, diagnosed))
        self._held[key] = since, diagnosed
        if now - since < LOG_COMES:
            return True
        del self._held[key]
        return False


def _says_more(before: events.Diagnosed, now: events.Diagnosed) -> bool:
    """Whether a cause that was told is worth telling again: another attempt, or the log that was missing."""
    return (
        before.fatal != now.fatal
        or before.cause.facts.get("attempt") != now.cause.facts.get("attempt")
        or (not before.cause.facts.get("log") and bool(now.cause.facts.get("log")))
    )
