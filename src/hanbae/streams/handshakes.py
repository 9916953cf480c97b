"""TLS below a request: why a handshake failed, and closing a connection whose handshake a cancellation breaks off.

httpcore2 closes it when the handshake fails (``AnyIOStream.start_tls``, 2.16.2), but a cancellation is not an
``Exception``: the socket then stays open until the garbage collector finds it.
What goes on in a request is told to its ``trace`` extension (https://www.encode.io/httpcore/extensions/#trace).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, Final

import httpx2

_DISTRUST: Final = ("CERTIFICATE", "UNKNOWN_CA")
"""In what OpenSSL calls a certificate that is not verified, and the alerts about a client's."""


async def look_after(request: httpx2.Request) -> None:
    """A client's hook for each request: ``event_hooks={"request": [look_after]}``."""
    request.extensions["trace"] = _Handshake()


def tls_errors(error: BaseException) -> Iterator[ssl.SSLError]:
    """The errors of TLS that an exchange broke off for, as OpenSSL names them in ``reason``."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            yield cause
        cause = cause.__cause__ or cause.__context__


def is_distrust(error: BaseException) -> bool:
    """Whether an exchange broke off because one side does not trust the other's certificate.

    By OpenSSL's names for it, not by ``ssl`` in the text: a connection that is closed within the handshake, as by a
    load balancer whose server starts again, is an error of TLS too, and nothing that a certificate would cure.
    """
    return any(
        word in (tls_error.reason or "") for tls_error in tls_errors(error) for word in _DISTRUST
    )


class _Handshake:
    def __init__(self) -> None:
        self._stream: Any = None

    async def __call__(self, event: str, facts: dict[str, Any]) -> None:
        # The connection's own events, or those of a proxy in front of it.
        if event.endswith(".connect_tcp.complete"):
            self._stream = facts["return_value"]
        elif event.endswith(".start_tls.failed") and self._stream is not None:
            # A cancellation is reported as a failure, too. Where httpcore2 has closed the stream
            # already, closing it again does nothing.
            await self._stream.aclose()
