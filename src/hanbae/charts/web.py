"""Fetches files of chart repositories over HTTPS, without telling anybody more than the user has meant to tell.

A chart, and with it a branch that anybody may have written, says where to go. So nothing is fetched but over TLS, from
no address that only this machine's own services have, and credentials go to the origin of the repository that the user
has added and to nothing else: not to where its index or a redirect leads.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from hanbae import errors, files, masking, subjects
from hanbae.charts import helm_settings
from hanbae.streams import addresses, authorities, backoffs, exchanges, handshakes

_TIMEOUT: Final = httpx2.Timeout(60, connect=10)
_REDIRECTS: Final = 5
_ATTEMPTS: Final = 3
_LATER: Final = (429, 502, 503, 504)
_DENIED: Final = (401, 403)
_NOT_FOUND: Final = (404, 410)


class Web:
    """Connections to repositories. Made by :func:`opened`.

    Args:
        plain: A client for those that the user has not added.
        entries: The repositories that the user has added.
    """

    def __init__(
        self, plain: httpx2.AsyncClient, entries: tuple[helm_settings.Repository, ...]
    ) -> None:
        self._plain = plain
        self._entries = entries
        self._own: dict[str, httpx2.AsyncClient] = {}

    async def fetch(self, repository: str, url: str, *, most: int) -> bytes | None:
        """A file of a repository.

        Args:
            repository: The repository's address.
            url: The file's, which may be anywhere.
            most: Bytes that it may have.

        Returns:
            None if there is no such file.

        Raises:
            hanbae.errors.Refused: The address may not be asked.
            hanbae.errors.Unreachable: No sensible answer.
            hanbae.errors.Forbidden: The repository does not let us.
        """
        entry = next(
            (entry for entry in self._entries if helm_settings.same_address(entry.url, repository)),
            None,
        )
        attempts = backoffs.Attempts(_ATTEMPTS, backoff=backoffs.Backoff(first=0.5))
        async for _ in attempts:
            try:
                answer = await self._redirected(entry, parsed(url), most)
            except exchanges.ERRORS as error:
                attempts.failed(_unreachable(url, error))
                continue
            except exchanges.TooLarge:
                limit = str(most // 1024**2)
                raise errors.Unreachable(
                    "dependencies.too-large", url=_shown(url), limit=limit
                ) from None
            if answer.status_code in _LATER and not attempts.is_last:
                attempts.failed(_answered(url, answer))
                continue
            return _content(url, answer)
        raise attempts.error

    async def _redirected(
        self, entry: helm_settings.Repository | None, url: httpx2.URL, most: int
    ) -> httpx2.Response:
        for _ in range(_REDIRECTS + 1):
            # At each step, for a redirect may lead anywhere.
            await _refuse_near(url)
            own = entry is not None and _origin(parsed(entry.url)) == _origin(url)
            client = self._client(entry) if own and entry is not None else self._plain
            basic = entry.basic() if own and entry is not None else ""
            headers = {"authorization": basic} if basic else {}
            request = client.build_request("GET", url, headers=headers)
            answer = await exchanges.whole(client, request, most=most, repeat=True)
            if not answer.has_redirect_location:
                return answer
            url = parsed(answer.headers["location"], url)
        raise errors.Unreachable("dependencies.redirects", url=_shown(str(url)))

    def _client(self, entry: helm_settings.Repository) -> httpx2.AsyncClient:
        """The client that presents the user's certificate, and trusts the authority that the user has named."""
        if not (entry.ca_file or entry.cert_file):
            return self._plain
        if entry.name not in self._own:
            self._own[entry.name] = _new_client(_context(entry))
        return self._own[entry.name]

    async def close(self) -> None:
        """Close the connections."""
        for client in self._own.values():
            await client.aclose()


@asynccontextmanager
async def opened() -> AsyncIterator[Web]:
    """Connections to repositories, closed with the scope.

    Raises:
        hanbae.errors.FileFault: What the user's Helm knows of repositories cannot be read.
    """
    entries = helm_settings.repositories()
    async with _new_client(httpx2.create_ssl_context()) as plain:
        web = Web(plain, entries)
        try:
            yield web
        finally:
            await web.close()


def parsed(address: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """An address that may be asked.

    Args:
        address: The address.
        base: What a relative one is relative to; None where it must be whole.

    Raises:
        hanbae.errors.Refused: It is none, is not HTTPS, or holds credentials.
    """
    try:
        url = addresses.parsed(address, base)
    except httpx2.InvalidURL:
        raise errors.Refused("dependencies.no-address", url=_shown(address)) from None
    if url.scheme != "https" or not url.host:
        raise errors.Refused("dependencies.not-https", url=_shown(str(url)))
    if url.userinfo:
        raise errors.Refused("dependencies.credentials-in-url", url=_shown(str(url)))
    return url


def _new_client(context: ssl.SSLContext) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        timeout=_TIMEOUT,
        follow_redirects=False,
        verify=authorities.unstrict(context),
        headers={"user-agent": "hanbae", "accept-encoding": "identity"},
        event_hooks={"request": [handshakes.look_after]},
    )


def _context(entry: helm_settings.Repository) -> ssl.SSLContext:
    path = entry.ca_file or entry.cert_file
    try:
        context = ssl.create_default_context(cafile=entry.ca_file or None)
        if entry.cert_file:
            path = entry.cert_file
            # OpenSSL would ask on the terminal for the password of a key that has one.
            context.load_cert_chain(entry.cert_file, entry.key_file or None, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        place = subjects.Place(path)
        reason = files.reason(error)
        raise errors.FileFault("dependencies.certificate", place=place, reason=reason) from error
    return context


async def _refuse_near(url: httpx2.URL) -> None:
    """Refuse addresses that only services of this machine's own network segment have, such as a cloud's metadata.

    Private addresses stay allowed: a company's charts are behind them. A proxy looks names up by itself.
    """
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(
            url.host, url.port or 443, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError):
        return  # the connection will say so
    for *_, address in entries:
        numeric = ipaddress.ip_address(str(address[0]).partition("%")[0])
        # An address of IPv4 may be written as one of IPv6, `::ffff:169.254.169.254`, which not
        # every Python calls link-local.
        numeric = getattr(numeric, "ipv4_mapped", None) or numeric
        if numeric.is_link_local or numeric.is_multicast or numeric.is_unspecified:
            raise errors.Refused("dependencies.link-local", url=_shown(str(url)))


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or 443


def _content(url: str, answer: httpx2.Response) -> bytes | None:
    if answer.status_code in _NOT_FOUND:
        return None
    if answer.status_code in _DENIED:
        raise errors.Forbidden(
            "dependencies.forbidden", url=_shown(url), status=str(answer.status_code)
        )
    if not answer.is_success:
        raise _answered(url, answer)
    return answer.content


def _answered(url: str, answer: httpx2.Response) -> errors.Unreachable:
    return errors.Unreachable(
        "dependencies.answered", url=_shown(url), status=str(answer.status_code)
    )


def _unreachable(url: str, error: Exception) -> errors.Unreachable:
    reason = masking.Redactor()(str(error) or type(error).__name__)[:300]
    return errors.Unreachable("dependencies.unreachable", url=_shown(url), reason=reason)


def _shown(url: str) -> str:
    """An address as it may be told: without what stands before the ``@``, and without its query."""
    scheme, mark, rest = url.partition("//")
    host, slash, path = rest.partition("/")
    plain = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}".partition("?")[0]
    return masking.Redactor()(plain)[:300]
