"""A network between a client and its server that loses answers, goes silent, or is gone for a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Relay:
    """A TCP relay to a server of this machine.

    It can lose the answer to the next request (it arrives there, and no more), it can break every connection and
    take no new one, and it can go silent: what it is sent arrives nowhere, and nobody is told.
    """

    def __init__(self, port: int) -> None:
        self.loses = False
        self.lost = 0
        self.refused = 0
        self.idle = asyncio.Event()
        self._shut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = 0
        self._port = port

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection through."""
        if self._shut:
            self.refused += 1
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

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Connections stay open, new ones are taken, and nothing comes through."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            await self._flows.wait()
            sink.write(chunk)
            await sink.drain()

    async def _back(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            await self._flows.wait()
            if self.loses:
                self.loses = False
                self.lost += 1
                sink.transport.abort()
                return
            sink.write(chunk)
            await sink.drain()
