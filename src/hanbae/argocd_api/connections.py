"""A connection to one Argo CD, and the one place through which every request to its API goes."""

from __future__ import annotations

import os
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import msgspec

from hanbae import errors, masking
from hanbae.argocd_api import answers, settings
from hanbae.streams import authorities, exchanges, handshakes

CONNECT_TIMEOUT: Final = 10.0
"""Seconds until a server that does not take the connection counts as unreachable."""
ANSWER_TIMEOUT: Final = 65.0
"""Seconds without a byte of an answer; proxies in front of Argo CD give up after 60 as a rule."""

LARGEST_ANSWER: Final = 256 * 1024 * 1024
"""Bytes of an answer."""


class _Bearer(httpx2.Auth):
    """Shows the token to the server alone: it is unmasked into each request and kept nowhere else."""

    def __init__(self, token: masking.Masked) -> None:
        self._token = token

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token.unmask().decode()}"
        yield request


class Server:
    """One Argo CD as one token. Made by :func:`connect`; safe for concurrent use by tasks of one event loop.

    Attributes:
        url: Its address.
    """

    def __init__(self, client: httpx2.AsyncClient, settled: settings.Settings) -> None:
        self.url = settled.url
        self.redact = masking.Redactor([settled.token])
        self._client = client

    @property
    def options(self) -> list[str]:
        """The options with which the ``argocd`` program asks this server."""
        address = urllib.parse.urlsplit(self.url)
        root = ["--grpc-web-root-path", address.path] if address.path.strip("/") else []
        plain = ["--plaintext"] if address.scheme == "http" else []
        return ["--server", address.netloc, *root, *plain]

    def describe(
        self, action: str, *, application: str = "", project: str = "", writes: bool = False
    ) -> answers.Call:
        """What a request is about, for errors."""
        return answers.Call(action, application, project, self.url, writes)

    async def ask(
        self,
        call: answers.Call,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        within: float = ANSWER_TIMEOUT,
    ) -> dict[str, Any]:
        """Make one request and return the answer's JSON object.

        A read whose connection broke is repeated at once; redirections are not followed, so the token goes to
        nobody else.

        Args:
            call: What it is about.
            method: The HTTP method.
            path: Below Argo CD's address.
            params: The query.
            body: What to send, as JSON.
            within: Seconds without a byte until the exchange counts as broken.

        Raises:
            hanbae.errors.Error: Any of those that :mod:`hanbae.argocd_api.answers` draws.
        """
        content = None if body is None else msgspec.json.encode(body)
        # Argo CD refuses every request that is not a GET without it, bodies or not (a guard against forged ones).
        headers = {"accept": "application/json", "content-type": "application/json"}
        request = self._client.build_request(
            method,
            path,
            params=params,
            content=content,
            headers=headers,
            timeout=httpx2.Timeout(within, connect=CONNECT_TIMEOUT, pool=None),
        )
        try:
            response = await exchanges.whole(
                self._client, request, most=LARGEST_ANSWER, repeat=not call.writes
            )
        except exchanges.TooLarge:
            raise answers.too_large(LARGEST_ANSWER, call) from None
        except exchanges.ERRORS as error:
            raise answers.lost(error, call, self.redact) from None
        if not response.is_success:
            raise answers.failure(response.status_code, response.content, call, self.redact)
        return answers.decoded(response.content, call, self.redact)

    async def username(self) -> str:
        """Who Argo CD takes us for, such as ``proj:services-dev:ci``.

        Raises:
            hanbae.errors.Forbidden: The token is not valid.
            hanbae.errors.Unreachable: Argo CD did not answer.
        """
        call = self.describe("get")
        answer = await self.ask(call, "GET", "/api/v1/session/userinfo")
        if not answer.get("loggedIn"):
            facts = call.facts | {"message": "loggedIn: false"}
            raise errors.Forbidden("argocd-api.unauthorised", place=None, **facts)
        return str(answer.get("username") or answer.get("iss") or "-")

    @asynccontextmanager
    async def stream(
        self, call: answers.Call, path: str, *, params: Mapping[str, str], silent_after: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read an answer that goes on, chunk by chunk.

        Args:
            call: What it is about.
            path: Below Argo CD's address.
            params: The query.
            silent_after: Seconds without a byte until it is given up; Argo CD sends none, headers included, while
                nothing happens.

        Raises:
            hanbae.argocd_api.answers.Silent: Nothing came for that long.
            hanbae.errors.Error: As `ask`; also out of the iteration when the exchange breaks.
        """
        timeout = httpx2.Timeout(silent_after, connect=CONNECT_TIMEOUT, pool=None)
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        try:
            async with self._client.stream(
                "GET", path, params=params, timeout=timeout, headers=headers
            ) as response:
                if not response.is_success:
                    whole = await exchanges.finished(response, most=LARGEST_ANSWER)
                    raise answers.failure(whole.status_code, whole.content, call, self.redact)
                yield response.aiter_raw()
        except exchanges.TooLarge:
            raise answers.too_large(LARGEST_ANSWER, call) from None
        # Before the other errors, of which it is one: a stream in which nothing happens looks just
        # like this.
        except httpx2.ReadTimeout:
            raise answers.Silent(
                "argocd-api.unreachable", place=None, why="-", **call.facts
            ) from None
        except exchanges.ERRORS as error:
            raise answers.lost(error, call, self.redact) from None


@asynccontextmanager
async def connect(
    server: str | None = None,
    *,
    plaintext: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Server]:
    """A connection to Argo CD's API; nothing is sent before the first request.

    TLS certificates are always verified, against the machine's authorities or those of ``SSL_CERT_FILE``.

    Args:
        server: The policy's ``argocd.server``; None for the environment's.
        plaintext: The policy's ``argocd.plaintext``.
        environment: Where the token is; None for the process' own variables.

    Raises:
        hanbae.errors.WrongUse: No server or no token is known, or the token may not be sent there.
    """
    variables = os.environ if environment is None else environment
    settled = settings.settle(server, variables, plaintext=plaintext)
    async with httpx2.AsyncClient(
        base_url=settled.url,
        auth=_Bearer(settled.token),
        headers={"user-agent": "hanbae"},
        event_hooks={"request": [handshakes.look_after]},
        verify=authorities.unstrict(ssl.create_default_context()),
        # Without TLS a proxy would read the token; with it, it only passes bytes on.
        trust_env=not settled.plaintext,
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
    ) as client:
        yield Server(client, settled)
