"""How much of a container's log goes into the record: its beginning, its end, and what the proof needs.

A migration that prints a line per row must not fill the history; what is left out is counted and said.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from hanbae.migrations import statuses

FIRST: Final = 1000
"""Lines from the beginning that are always kept."""
LAST: Final = 40
"""Lines from the end that are kept of a longer log: where the error is."""


class Clip:
    """Decides about one container's lines, in their order.

    Args:
        first: Lines from the beginning that are kept.
        last: Lines from the end that are kept.
    """

    def __init__(self, *, first: int = FIRST, last: int = LAST) -> None:
        self._left = first
        self._ring: deque[str] = deque(maxlen=last)
        self.cut = 0
        """Lines that were left out so far."""

    def take(self, line: str) -> bool:
        """Whether the line is kept now; one that is not may still be among the last ones."""
        if self._left > 0:
            self._left -= 1
            return True
        # The record learns from these lines which versions were applied, so none of them is cut.
        if statuses.applied(line) is not None:
            return True
        # The full ring drops its oldest line for this one.
        if len(self._ring) == self._ring.maxlen:
            self.cut += 1
        self._ring.append(line)
        return False

    def end(self) -> list[str]:
        """The last lines, once there are no more."""
        lines = list(self._ring)
        self._ring.clear()
        return lines
