"""Connections that are made anew once another certificate is shown.

A connection shows the certificate that it was made with for as long as it lives. An API server looks at each request
whether that one has expired, so what is kept alive would be refused, whatever a credential plugin has answered since.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2


class Renewable(httpx2.AsyncBaseTransport):
    """Sends requests over the newest connections; those under way end on the ones that they were begun on.

    Args:
        make: Makes the transport of a new generation, whose connections show the present certificate.
    """

    def __init__(self, make: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._make = make
        self._newest = make()
        self._under_way = {self._newest: 0}

    async def renew(self) -> None:
        """Have the requests that are sent from now on go over new connections."""
        former, self._newest = self._newest, self._make()
        self._under_way[self._newest] = 0
        await self._close_unused(former)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; called by the HTTP library."""
        transport = self._newest
        self._under_way[transport] += 1
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            await self._ended(transport)
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101  for the type checker
        ended = functools.partial(self._ended, transport)
        response.stream = _Answer(response.stream, ended)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in list(self._under_way):
            await transport.aclose()

    async def _ended(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._under_way[transport] -= 1
        await self._close_unused(transport)

    async def _close_unused(self, transport: httpx2.AsyncBaseTransport) -> None:
        if transport is not self._newest and not self._under_way[transport]:
            del self._under_way[transport]
            await transport.aclose()


class _Answer(httpx2.AsyncByteStream):
    """An answer's body that says when it is closed."""

    def __init__(
        self, stream: httpx2.AsyncByteStream, on_close: Callable[[], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._on_close: Callable[[], Awaitable[None]] | None = on_close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        on_close, self._on_close = self._on_close, None
        try:
            await self._stream.aclose()
        finally:
            if on_close is not None:
                await on_close()
