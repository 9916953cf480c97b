"""Runs a coroutine from code that has no event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What :func:`asyncio.run` does, at whose end nobody asks for the words of the result.

    Python (3.11 to 3.14) asks there whether its handler of Ctrl-C is still set; ``signal.getsignal`` tries to make an
    enumeration's member of that handler, and the error that tells that it is none holds the handler's text, with the
    task's, with its result's. Thousands of findings took a tenth of a second to become that text, twice.

    Args:
        coroutine: What is to run.

    Returns:
        Its result.
    """
    import asyncio  # not every command has an event loop

    results: list[T] = []

    async def keep() -> None:
        results.append(await coroutine)

    asyncio.run(keep())  # noqa: TID251  here it has no result
    return results[0]
