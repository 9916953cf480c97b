"""Tasks that work together: what one of them fails with comes out alone, as it would without tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hanbae import errors


@asynccontextmanager
async def group() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks that all have ended when it is left.

    Raises:
        BaseException: What a task failed with, the others being cancelled: a bug before an expected failure, and of
            several the first.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as failed:
        raise min(_leaves(failed), key=lambda error: isinstance(error, errors.Error)) from None


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
