"""How often a server is asked again after it has failed, and how long it is left in peace before.

The pauses grow exponentially to a bound.
They are drawn at random because everybody who watches an API server loses it in the same moment when it restarts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Final

FIRST: Final = 0.2
"""Seconds; a restarted API server is often back before a person has noticed."""
LONGEST: Final = 10.0
"""Seconds; a live view must not look dead for longer once the server is back."""


class Backoff:
    """The pauses between attempts.

    Args:
        first: Upper bound of the first pause in seconds; each later one is twice as long.
        longest: Upper bound of them all in seconds.
        chance: Gives a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        first: float = FIRST,
        longest: float = LONGEST,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._bound = first

    def reset(self) -> None:
        """The server has answered: the next pause is a first one."""
        self._bound = self._first

    def next(self) -> float:
        """Seconds of the next pause: between half of the bound and all of it."""
        bound = self._bound
        self._bound = min(self._bound * 2, self._longest)
        # Half of the bound is fixed: a pause that is drawn from 0 on could be none at all.
        return bound * (0.5 + self._chance() / 2)

    async def pause(self) -> None:
        """Wait."""
        await asyncio.sleep(self.next())


class Attempts(AsyncIterator[None]):
    """A bounded number of attempts at something that may be repeated, with the pauses between them.

    The one way to repeat a call a number of times::

        attempts = backoffs.Attempts(3)
        async for _ in attempts:
            try:
                return await call()
            except errors.Unreachable as error:
                attempts.failed(error)
        raise attempts.error

    Args:
        most: How many attempts there are, the first one included.
        backoff: The pauses; None for new ones with their defaults.
    """

    def __init__(self, most: int, *, backoff: Backoff | None = None) -> None:
        self._left = most
        self._backoff = backoff or Backoff()
        self._pause = 0.0
        self._error: Exception | None = None

    @property
    def is_last(self) -> bool:
        """Whether no further attempt follows the present one."""
        return self._left == 0

    @property
    def error(self) -> Exception:
        """Why the last attempt failed."""
        if self._error is None:
            message = "no attempt has failed"
            raise AssertionError(message)
        return self._error

    def failed(self, error: Exception, *, pause: float | None = None) -> None:
        """The present attempt has failed; another one follows, unless it was the last.

        Args:
            error: Why; what is raised when it was the last.
            pause: Seconds until the next attempt; None for what the backoff says.
        """
        self._error = error
        if not self.is_last:
            self._pause = self._backoff.next() if pause is None else pause

    # An async generator would be shorter, and left behind for the event loop to close by whoever returns from the loop.
    async def __anext__(self) -> None:
        """Pause, if the attempt before was reported as failed, and begin the next one."""
        if self.is_last:
            raise StopAsyncIteration
        pause, self._pause = self._pause, 0.0
        if pause:
            await asyncio.sleep(pause)
        self._left -= 1
