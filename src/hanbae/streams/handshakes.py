"""Closes a connection whose TLS handshake is broken off by a cancellation.

httpcore2 closes it when the handshake fails (``AnyIOStream.start_tls``, 2.16.2), but a cancellation is not an
``Exception``: the socket then stays open until the garbage collector finds it.
What goes on in a request is told to its ``trace`` extension (https://www.encode.io/httpcore/extensions/#trace).
"""

from __future__ import annotations

from typing import Any

import httpx2


async def look_after(request: httpx2.Request) -> None:
    """A client's hook for each request: ``event_hooks={"request": [look_after]}``."""
    request.extensions["trace"] = _Handshake()


class _Handshake:
    def __init__(self) -> None:
        self._stream: Any = None

    async def __call__(self, event: str, facts: dict[str, Any]) -> None:
        # The connection's own events, or those of a proxy in front of it.
        if event.endswith(".connect_tcp.complete"):
            self._stream = facts["return_value"]
        elif event.endswith(".start_tls.failed") and self._stream is not None:
            await self._stream.aclose()
