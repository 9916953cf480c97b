"""Attempts at something that fails, and the pauses between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hanbae.streams import backoffs


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without their time."""
    lengths: list[float] = []

    async def note(seconds: float) -> None:
        lengths.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    return lengths


async def run(most: int, call: Callable[[int], str], *, pause: float | None = None) -> str:
    longest = backoffs.Backoff(first=1, longest=5, chance=lambda: 1.0)
    attempts = backoffs.Attempts(most, backoff=longest)
    number = 0
    async for _ in attempts:
        number += 1
        try:
            return call(number)
        except LookupError as error:
            attempts.failed(error, pause=pause)
    raise attempts.error


def succeeding(number: int) -> Callable[[int], str]:
    def call(attempt: int) -> str:
        if attempt < number:
            raise LookupError(attempt)
        return f"attempt {attempt}"

    return call


async def test_a_call_that_succeeds_is_made_once_and_without_a_pause(pauses: list[float]) -> None:
    assert await run(3, succeeding(1)) == "attempt 1"
    assert pauses == []


async def test_attempts_are_apart_by_longer_and_longer_pauses(pauses: list[float]) -> None:
    assert await run(8, succeeding(5)) == "attempt 5"
    assert pauses == [1, 2, 4, 5]


async def test_the_last_attempt_decides_and_no_pause_follows_it(pauses: list[float]) -> None:
    with pytest.raises(LookupError, match="3"):
        await run(3, succeeding(4))
    assert pauses == [1, 2]


async def test_other_errors_end_the_attempts(pauses: list[float]) -> None:
    def broken(_: int) -> str:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await run(3, broken)
    assert pauses == []


async def test_a_caller_may_set_the_pause(pauses: list[float]) -> None:
    """What a server asks for with Retry-After comes instead of the back-off."""
    assert await run(3, succeeding(3), pause=7) == "attempt 3"
    assert pauses == [7, 7]
    assert await run(3, succeeding(3), pause=0) == "attempt 3"
    assert pauses == [7, 7]


async def test_it_is_the_last_attempt_only_when_none_follows() -> None:
    attempts = backoffs.Attempts(3)
    assert [attempts.is_last async for _ in attempts] == [False, False, True]


async def test_leaving_the_attempts_leaves_nothing_for_the_event_loop() -> None:
    await run(3, succeeding(1))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
