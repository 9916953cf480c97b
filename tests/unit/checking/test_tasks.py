"""What tasks that work together fail with."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from hanbae import errors
from hanbae.checking import tasks


async def failing(error: Exception, after: asyncio.Event | None = None) -> None:
    if after is not None:
        try:
            await after.wait()
        except asyncio.CancelledError:
            raise error from None
    raise error


async def together(*coroutines: Coroutine[Any, Any, object]) -> None:
    async with tasks.group() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


async def test_an_expected_failure_comes_out_as_itself() -> None:
    with pytest.raises(errors.WrongUse, match=r"a\.b"):
        await together(failing(errors.WrongUse("a.b")), asyncio.sleep(100))


async def test_a_bug_comes_before_an_expected_failure() -> None:
    bug = failing(ZeroDivisionError(), asyncio.Event())
    with pytest.raises(ZeroDivisionError):
        await together(bug, failing(errors.WrongUse("a.b")))


async def test_the_first_of_several_comes_out_of_groups_in_groups() -> None:
    later = failing(errors.Failed("second"), asyncio.Event())
    with pytest.raises(errors.WrongUse, match="first"):
        await together(later, failing(ExceptionGroup("", [errors.WrongUse("first")])))
