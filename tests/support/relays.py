"""A network between hanbae and the API server that loses answers, or is gone for a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Relay:
    """A TCP relay to the API server.

    It can lose the answer to the next request (it arrives there, and no more), and it can break every connection and
    take no new one.
    """

    def __init__(self, port: int) -> None:
        self.loses = False
        self.lost = 0
        self.idle = asyncio.Event()
        self._shut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = 0
        self._port = port

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection through."""
        if self._shut:
            writer.transport.abort()
            return
        upstream, out = await asyncio.open_connection("127.0.0.1", self._port)
        self.idle.clear()
        self._open += 1
        self._writers.add(writer)
        ways = [
            asyncio.create_task(self._pass(reader, out)),
            asyncio.create_task(self._back(upstream, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for stream in (writer, out):
            stream.transport.abort()
            with contextlib.suppress(OSError):
                await stream.wait_closed()
        self._open -= 1
        self._writers.discard(writer)
        if not self._open:
            self.idle.set()

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """Nobody gets through."""
        self._shut = True
        for writer in self._writers:
            writer.transport.abort()
        try:
            yield
        finally:
            self._shut = False

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()

    async def _back(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            if self.loses:
                self.loses = False
                self.lost += 1
                sink.transport.abort()
                return
            sink.write(chunk)
            await sink.drain()
