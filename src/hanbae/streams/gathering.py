"""Waits for several at once, for all of them even where one fails: none goes on over a connection that is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def whole(awaitables: Iterable[Awaitable[_T]]) -> list[_T]:
    """The results in their order, as of :func:`asyncio.gather`.

    Raises:
        BaseException: The first of the failures, once all have ended.
    """
    results: list[_T] = []
    # Without `return_exceptions` gather raises at the first failure and leaves the others running.
    for outcome in await asyncio.gather(*awaitables, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results
