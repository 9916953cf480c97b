"""How long to leave a server in peace after it has failed: exponentially longer, at random, with a bound.

At random because everybody who watches an API server loses it in the same moment when it restarts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
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
        return bound * (0.5 + self._chance() / 2)

    async def pause(self) -> None:
        """Wait."""
        await asyncio.sleep(self.next())
