"""A server that takes a connection and ends it within the TLS handshake, as a load balancer without a server does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

WORDS: Final = {"eof": "", "http": "HTTP/1.1 400 Bad Request\r\n\r\n"}
"""What it says first, by the name of the way in which it ends."""


@contextlib.asynccontextmanager
async def listening(words: str) -> AsyncIterator[str]:
    """The server's address.

    Args:
        words: What it says before it ends a connection; TLS is none of it.
    """

    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words.encode())
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(end, "127.0.0.1", 0) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
