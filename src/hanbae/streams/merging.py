"""Several streams read as one, by somebody who owns their tasks.

A deployment watches a dozen things at once and decides on all of them together.
Task groups cannot do that: a reader that stops early has to cancel the group, and a watch's failure comes out as a
group of exceptions.
Here the first failure of a stream is raised to the reader as it is, and leaving the block ends every task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MOST_WAITING: Final = 256
"""Items that wait for the reader; then the streams wait too, down to the sender's TCP window."""


class _End:
    """A stream has ended."""


class Merged(Generic[T]):
    """The items of all streams that were added, in the order of their arrival, with the name of their stream."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, T | _End | Exception]] = asyncio.Queue(MOST_WAITING)
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._open = 0

    def add(self, name: str, stream: AsyncGenerator[T]) -> None:
        """Read this stream too, from now on; it is closed at the end."""
        self._open += 1
        task = asyncio.get_running_loop().create_task(self._read(name, stream), name=name)
        self._tasks[task] = name
        # The event loop holds its tasks only weakly; this dict keeps them until they have ended.
        task.add_done_callback(self._tasks.pop)

    async def next(self, *, within: float | None = None) -> tuple[str, T] | None:
        """The next item with its stream's name.

        Args:
            within: Seconds to wait; None for as long as it takes.

        Returns:
            None when the time is over.

        Raises:
            StopAsyncIteration: All streams have ended.
            Exception: What a stream failed with.
        """
        try:
            async with asyncio.timeout(within) as timer:
                while self._open or not self._queue.empty():
                    name, item = await self._queue.get()
                    if isinstance(item, Exception):
                        self._open -= 1
                        raise item
                    if not isinstance(item, _End):
                        return name, item
                    self._open -= 1
        except TimeoutError:
            # A TimeoutError that a stream failed with is the reader's, like every other failure.
            if timer.expired():
                return None
            raise
        raise StopAsyncIteration

    def __aiter__(self) -> AsyncIterator[tuple[str, T]]:
        return self

    async def __anext__(self) -> tuple[str, T]:
        item = await self.next()
        if item is None:
            raise StopAsyncIteration
        return item

    async def close(self) -> None:
        """End every task and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, name: str, stream: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    await self._queue.put((name, item))
        except Exception as error:  # noqa: BLE001 it is the reader's, whatever it is
            await self._queue.put((name, error))
        else:
            await self._queue.put((name, _End()))


@asynccontextmanager
async def merge() -> AsyncIterator[Merged[Any]]:
    """A scope that owns the streams that are added in it; leaving it, by whatever way, ends them."""
    merged: Merged[Any] = Merged()
    try:
        yield merged
    finally:
        await merged.close()
