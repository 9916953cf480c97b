"""Asks again until something is so, for what tells nobody when it becomes so."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

PAUSE = 0.05
"""Seconds between two questions."""
PATIENCE = 300.0
"""Seconds in which it is so on two slow cores, whoever else is busy there: what is not so by then never will be."""


def until(
    is_so: Callable[[], object],
    *,
    within: float = PATIENCE,
    pause: float = PAUSE,
    state: Callable[[], Any] = str,
) -> None:
    """Ask until the answer is yes.

    Args:
        is_so: The question.
        within: Seconds until the answer must be yes; fewer than `PATIENCE` where that is what a test is about.
        pause: Seconds between two questions.
        state: What to show where it never is.

    Raises:
        AssertionError: It is not.
    """
    end = time.monotonic() + within
    while not is_so():
        if time.monotonic() > end:
            message = f"not within {within:g} s: {state()}"
            raise AssertionError(message)
        time.sleep(pause)


async def reached(
    is_so: Callable[[], object | Awaitable[object]],
    *,
    within: float = PATIENCE,
    pause: float = PAUSE,
    state: Callable[[], Any] = str,
) -> None:
    """Ask until the answer is yes, while the other tasks of the event loop go on.

    Args:
        is_so: The question; what it returns is awaited if it can be.
        within: Seconds until the answer must be yes; fewer than `PATIENCE` where that is what a test is about.
        pause: Seconds between two questions.
        state: What to show where it never is.

    Raises:
        AssertionError: It is not.
    """
    end = time.monotonic() + within
    while True:
        answer = is_so()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        if time.monotonic() > end:
            message = f"not within {within:g} s: {state()}"
            raise AssertionError(message)
        await asyncio.sleep(pause)
