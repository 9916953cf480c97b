"""What rules work out of a view is kept with the view, for whichever rule asks next."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Computing:
    """Something that rules look at, with what functions make of it."""

    def once(self, compute: Callable[[Self], T]) -> T:
        """What a function makes of it, computed for the first rule that asks.

        Args:
            compute: A function of a module: it is what the result is kept under, so a lambda would be computed again.
        """
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        result: T = self._computed[compute]
        return result

    # cached_property writes into __dict__, which a frozen dataclass does not refuse.
    @cached_property
    def _computed(self) -> dict[Callable[..., Any], Any]:
        return {}
