"""One exchange over HTTP with somebody who may send anything: read up to a bound, and no longer than a while."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import httpx2

from hanbae.streams import backoffs

LONGEST: Final = 300.0
"""Seconds that an exchange may take: a client's own timeouts begin anew with each byte."""
ERRORS: Final = (httpx2.HTTPError, ssl.SSLError)
"""With what an exchange breaks off. An error of TLS after the handshake is passed on by httpx2 and httpcore2 as it is:
with TLS 1.3 a server says then only that it does not trust a client's certificate."""
_REPEATS: Final = 2
# What a request fails with on a kept-alive connection that the server has closed meanwhile; on a
# new connection it may well succeed.
_BROKEN: Final = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


class TooLarge(Exception):
    """An answer has more bytes than were agreed. Does not leave the package that made the request."""


async def whole(
    client: httpx2.AsyncClient,
    request: httpx2.Request,
    *,
    most: int,
    repeat: bool = False,
    within: float = LONGEST,
) -> httpx2.Response:
    """Send a request and read its answer.

    Args:
        client: The client.
        request: The request, made by the client.
        most: Bytes that the answer's body may have, unpacked.
        repeat: Whether it is sent again, at once and at most twice, when its connection breaks: only what changes
            nothing may be.
        within: Seconds that it may take, however slowly the answer comes.

    Raises:
        TooLarge: It has more; the connection is closed then.
        httpx2.HTTPError: The exchange failed, or took too long.
        ssl.SSLError: It failed after the handshake; see :data:`ERRORS`.
    """
    attempts = backoffs.Attempts(1 + (_REPEATS if repeat else 0))
    async for _ in attempts:
        try:
            async with asyncio.timeout(within):
                return await finished(await client.send(request, stream=True), most=most)
        except TimeoutError:
            # Callers translate `ERRORS` alone; a TimeoutError of Python's would leave their
            # packages as it is.
            raise httpx2.ReadTimeout(f"> {within:g} s", request=request) from None
        except _BROKEN as error:
            attempts.failed(error, pause=0)
    raise attempts.error


async def finished(
    answer: httpx2.Response, *, most: int, within: float = LONGEST
) -> httpx2.Response:
    """The whole of an answer that is still open; see :func:`whole`."""
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in answer.aiter_bytes():
                body += chunk
                # Counted as it is unpacked: a few packed kilobytes can stand for gigabytes.
                if len(body) > most:
                    raise TooLarge
    except TimeoutError:
        raise httpx2.ReadTimeout(f"> {within:g} s", request=answer.request) from None
    finally:
        await answer.aclose()
    # Without content-encoding, because the body is unpacked already. Headers are kept as bytes: a
    # server may send some that are no text.
    headers = [pair for pair in answer.headers.raw if pair[0].lower() != b"content-encoding"]
    return httpx2.Response(
        answer.status_code, headers=headers, content=bytes(body), request=answer.request
    )
