"""A connection to one forge, and the one place through which every request to it goes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx2
import msgspec

from hanbae import errors, excerpts, foreign_json, masking
from hanbae.forges import logins
from hanbae.streams import authorities, exchanges, handshakes

CONNECT_TIMEOUT: Final = 10.0
"""Seconds until a server that does not take the connection counts as unreachable."""
ANSWER_TIMEOUT: Final = 60.0
"""Seconds without a byte of an answer."""
WITHIN: Final = 120.0
"""Seconds that an answer may take in all."""
LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of an answer; a page of a hundred merge requests with long texts has some megabytes."""
PAGE: Final = 50
"""Entries of a page; the most that Gitea gives unless it is told otherwise."""
_MOST_PAGES: Final = 40

_T = TypeVar("_T")


class Missing(errors.Refused):
    """The forge has no such thing, or none that this token may know of."""


class _Bearer(httpx2.Auth):
    """Shows the token to the forge alone: it is unmasked into each request and kept nowhere else."""

    def __init__(self, token: masking.Masked) -> None:
        self._token = token

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token.unmask().decode()}"
        yield request


class Connection:
    """One forge as one token. Made by :func:`connect`.

    Attributes:
        login: Where and as whom.
    """

    def __init__(self, client: httpx2.AsyncClient, login: logins.Login) -> None:
        self.login = login
        self._client = client
        self._redact = masking.Redactor([login.token])

    async def ask(
        self,
        method: str,
        path: str,
        kind: type[_T],
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> _T:
        """Make one request and return its answer.

        A read whose connection broke is repeated at once; redirections are not followed, so the token goes to nobody
        else.

        Args:
            method: The HTTP method.
            path: Below the address of the API, with its parts quoted.
            kind: What the answer must be.
            params: The query.
            body: What to send, as JSON.

        Raises:
            Missing: There is no such thing.
            hanbae.errors.Forbidden: The token is not valid, or may not.
            hanbae.errors.Refused: The forge does not want it.
            hanbae.errors.Unreachable: It did not answer, is failing, or what answers is no forge.
        """
        answer = await self._exchange(method, path, params=params, body=body)
        return self._decoded(answer, kind)

    async def delete(self, path: str) -> None:
        """Delete something; the answer to this has no body.

        Args:
            path: As for :meth:`ask`.

        Raises:
            hanbae.errors.Error: As for :meth:`ask`.
        """
        await self._exchange("DELETE", path)

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> httpx2.Response:
        """Make one request; the answer, which is a success."""
        request = self._client.build_request(
            method,
            path,
            params=params,
            content=None if body is None else msgspec.json.encode(body),
            headers={"accept": "application/json", "content-type": "application/json"},
        )
        try:
            answer = await exchanges.whole(
                self._client,
                request,
                most=LARGEST_ANSWER,
                repeat=method == "GET",
                within=WITHIN,
            )
        except exchanges.TooLarge:
            raise self._error(errors.Unreachable, "forge.nonsense", "> 16 MiB") from None
        except exchanges.ERRORS as error:
            why = str(error) or type(error).__name__
            raise self._error(errors.Unreachable, "forge.unreachable", why) from None
        if not answer.is_success:
            raise self._failure(answer)
        return answer

    async def pages(
        self, path: str, kind: type[_T], *, params: Mapping[str, str], size: str
    ) -> AsyncIterator[_T]:
        """The entries of a list, page by page.

        Args:
            path: As for :meth:`ask`.
            kind: What an entry must be.
            params: The query.
            size: What the query calls the size of a page.

        Raises:
            hanbae.errors.Error: As for :meth:`ask`.
        """
        before: list[_T] = []
        for number in range(1, _MOST_PAGES + 1):
            query = {**params, size: str(PAGE), "page": str(number)}
            answer = await self._exchange("GET", path, params=query)
            entries: list[_T] = self._decoded(answer, list[kind])  # type: ignore[valid-type]
            if entries and entries == before:
                return  # Gitea has lists without pages, and gives all of it each time
            for entry in entries:
                yield entry
            # GitLab leaves out of a page what the user may not see, and says that there is another.
            if len(entries) < PAGE and "next" not in answer.links:
                return
            before = entries

    def _decoded(self, answer: httpx2.Response, kind: type[_T]) -> _T:
        try:
            return foreign_json.decode(answer.content, kind)
        except foreign_json.Fault as fault:
            raise self._error(errors.Unreachable, "forge.nonsense", str(fault)) from None

    def _failure(self, answer: httpx2.Response) -> errors.Error:
        """The error for an answer that is not a success."""
        status = answer.status_code
        words = _words(answer.content)
        if status == HTTPStatus.UNAUTHORIZED:
            return self._error(errors.Forbidden, "forge.unauthorised", words)
        if status == HTTPStatus.FORBIDDEN:
            return self._error(errors.Forbidden, "forge.forbidden", words)
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return self._error(Missing, "forge.missing", answer.request.url.path)
        if answer.is_redirect or not words:
            return self._error(errors.Unreachable, "forge.nonsense", f"HTTP {status}")
        if answer.is_server_error or status == HTTPStatus.TOO_MANY_REQUESTS:
            return self._error(errors.Unreachable, "forge.failing", words)
        return self._error(errors.Refused, "forge.refused", words)

    def _error(self, kind: type[errors.Error], text_id: str, why: str) -> errors.Error:
        facts = {
            "host": self.login.host,
            "why": excerpts.one_line(why, redact=self._redact),
            "source": self.login.source,
        }
        return kind(text_id, place=None, **facts)


def _words(body: bytes) -> str:
    """What a forge says of a request that it does not fulfil."""
    document = foreign_json.mapping(body)
    message = document.get("message") or document.get("error") or ""
    if not isinstance(message, str):  # GitLab has a list of them, or one per field
        message = msgspec.json.encode(message).decode()
    details = [
        str(entry.get("message") or entry.get("code") or "")
        for entry in foreign_json.mappings(document.get("errors"))
    ]
    return ": ".join([message, *(detail for detail in details if detail)])


@asynccontextmanager
async def connect(login: logins.Login, address: str) -> AsyncIterator[Connection]:
    """A connection; nothing is sent before the first request.

    TLS certificates are always verified, against the machine's authorities or those of ``SSL_CERT_FILE``.

    Args:
        login: The login.
        address: The address of the forge's API.
    """
    async with httpx2.AsyncClient(
        base_url=address,
        auth=_Bearer(login.token),
        headers={"user-agent": "hanbae"},
        event_hooks={"request": [handshakes.look_after]},
        verify=authorities.unstrict(ssl.create_default_context()),
        # Without TLS a proxy would read the token; with it, it only passes bytes on.
        trust_env=address.startswith("https://"),
        follow_redirects=False,
        timeout=httpx2.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT),
    ) as client:
        yield Connection(client, login)
