"""Coroutines that are run from code without an event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from hanbae import loops


class Findings:
    """A result that says so where somebody asks for its text."""

    texts = 0

    def __repr__(self) -> str:
        Findings.texts += 1
        return "many"


@pytest.fixture
def _answered() -> Iterator[None]:
    """Ctrl-C as Python answers it by itself; another test of the process may have left it otherwise."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


async def find(result: Findings) -> Findings:
    await asyncio.sleep(0)
    return result


@pytest.mark.usefixtures("_answered")
def test_nobody_asks_for_the_text_of_a_result() -> None:
    result = Findings()
    assert asyncio.run(find(result)) is result
    assert Findings.texts, "without it, Python does not ask either, and `loops` may go"
    Findings.texts = 0
    assert loops.run(find(result)) is result
    assert Findings.texts == 0


def test_what_it_raises_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("its words")

    with pytest.raises(LookupError, match="its words"):
        loops.run(fail())
