"""A stream whose writers and reader cannot harm each other.

The reader may leave at any moment; a writer that fails ends the stream with its error, after everything that
was written before it, instead of cancelling the reader in the middle of a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

ROOM: Final = 1000
"""Items that writers may be ahead of the reader; then they wait."""


class _End:
    """The end of the stream, with the error that it ended with."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Channel(Generic[Item]):
    """Several writers, one reader.

    Args:
        room: How many items the writers may be ahead.
    """

    def __init__(self, *, room: int = ROOM) -> None:
        # Not a bounded queue: `close` puts the end in without waiting, even when there is no room
        # left.
        self._room = asyncio.Semaphore(room)
        self._items: asyncio.Queue[Item | _End] = asyncio.Queue()

    async def put(self, item: Item) -> None:
        """Write an item; waits while the reader is too far behind."""
        await self._room.acquire()
        self._items.put_nowait(item)

    def close(self, error: BaseException | None = None) -> None:
        """End the stream: what was written is still read, then it ends, with the error if there is one."""
        self._items.put_nowait(_End(error))

    @asynccontextmanager
    async def fed_by(
        self, writing: Coroutine[object, object, None]
    ) -> AsyncIterator[AsyncGenerator[Item]]:
        """The items of one writer, which runs as long as they are read.

        The stream ends when the writer does, with the error that it ended with. Who leaves the context ends the
        writer and waits until it has ended.

        Args:
            writing: Puts the items into this channel.
        """
        task = asyncio.create_task(self._until_written(writing))
        try:
            async with aclosing(self.read()) as stream:
                yield stream
        finally:
            # What the writer failed with is not raised here: it has come through the stream, or its
            # reader has left without hearing the end.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _until_written(self, writing: Coroutine[object, object, None]) -> None:
        try:
            await writing
        except asyncio.CancelledError:
            # The reader may live on: it sees an end instead of waiting for ever.
            self.close()
            raise
        except BaseException as error:  # noqa: BLE001  whoever reads the stream must see it
            self.close(error)
        else:
            self.close()

    async def read(self) -> AsyncGenerator[Item]:
        """All items until the end.

        Raises:
            BaseException: What the stream was closed with.
        """
        while True:
            item = await self._items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            self._room.release()
            yield item
