"""Exchanges with one registry, whoever it turns out to be.

What every request needs whatever it asks for: authorisation when the registry wants it, redirects without credentials,
another try after a broken connection, and a bound on what comes back.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import httpx2

from hanbae import errors, masking
from hanbae.images import authorizing, credentials
from hanbae.streams import addresses, backoffs, exchanges, handshakes

LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer, unless a request says otherwise; what distribution allows for a manifest."""

SPEAKS_PLAINLY: Final = "registry.plain"
"""Id of the sentence about a registry that answers TLS with something else."""

_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
"""What OpenSSL, by its version, calls the first bytes of an answer that is HTTP where TLS should begin."""
_ATTEMPTS: Final = 3
_PAUSE: Final = 0.5
_REDIRECTS: Final = 5
_UNAUTHORIZED: Final = 401
LATER: Final = (429, 502, 503, 504)


@dataclass(frozen=True)
class Request:
    """What to ask.

    Attributes:
        method: The HTTP method.
        url: Where.
        scope: What a token must allow, such as ``repository:shop/auth:pull``.
        headers: Beside the authorisation.
        content: What to send.
        limit: Bytes that the answer may have.
        streamed: Whether the body of a success is left to be read by the caller, who then closes the answer.
    """

    method: str
    url: httpx2.URL
    scope: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    limit: int = LARGEST_ANSWER
    streamed: bool = False


class Transport:
    """The HTTP side of one registry.

    Attributes:
        origin: Scheme, host and port of the registry; the only ones that get its credentials.
    """

    def __init__(
        self, client: httpx2.AsyncClient, origin: httpx2.URL, login: credentials.Credentials | None
    ) -> None:
        self.origin = origin
        self._client = client
        self._login = login
        self._authorizations: dict[str, str] = {}

    @property
    def host(self) -> str:
        """The registry's host and port."""
        return self.origin.netloc.decode()

    async def send(self, request: Request) -> httpx2.Response:
        """Make a request, authorised as the registry wants it.

        Raises:
            errors.Unreachable: No sensible answer.
            errors.Refused: The registry asks to send the credentials elsewhere.
            errors.Forbidden: The registry's token server hands out no token.
        """
        answer = await self._redirected(request)
        # A 401 from where a redirect has led is not met: nobody but the registry gets credentials.
        if answer.status_code == _UNAUTHORIZED and self._is_own(answer.request.url):
            challenge = authorizing.challenge(answer.headers)
            if challenge is not None and await self._authorize(challenge, request.scope):
                answer = await self._redirected(request)
        return answer

    @asynccontextmanager
    async def stream(
        self, request: Request
    ) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[bytes]]]:
        """Make a request whose answer is read as it comes, in the bytes that were sent.

        Raises:
            errors.Error: As :meth:`send`; also out of the iteration when the exchange breaks.
        """
        answer = await self.send(replace(request, streamed=True))
        try:
            yield answer, self._chunks(answer)
        finally:
            await answer.aclose()

    async def _chunks(self, answer: httpx2.Response) -> AsyncIterator[bytes]:
        # The body of an error has been read already (see `_once`).
        if answer.is_stream_consumed:
            return
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except exchanges.ERRORS as error:
            raise self._unreachable(error) from None

    def onward(self, url: httpx2.URL, location: str, path: str = "") -> httpx2.URL:
        """Where an answer of the registry leads.

        Args:
            url: What was asked.
            location: The address, as the answer has it: often relative.
            path: The repository, for the error.

        Raises:
            hanbae.errors.Unreachable: It is no address.
        """
        try:
            return addresses.parsed(location, url)
        except httpx2.InvalidURL:
            raise self.nonsense(path) from None

    def nonsense(self, path: str = "") -> errors.Unreachable:
        """The error for an answer that no registry gives."""
        return errors.Unreachable("registry.nonsense", host=self.host, repository=path or "-")

    async def _authorize(self, challenge: authorizing.Challenge, scope: str) -> bool:
        """Meet a challenge; False when nothing is known that would meet it."""
        if challenge.scheme == "basic":
            # A password that was sent already would be refused again, and an identity token is no password.
            if self._login is None or self._login.is_token or scope in self._authorizations:
                return False
            self._authorizations[scope] = self._login.basic()
            return True
        try:
            token = await authorizing.token(
                self._client, challenge, scope, self.origin, self._login
            )
        except exchanges.ERRORS as error:
            raise self._unreachable(error) from None
        self._authorizations[scope] = f"Bearer {token}"
        return True

    async def _redirected(self, request: Request) -> httpx2.Response:
        url = request.url
        for _ in range(_REDIRECTS):
            headers = dict(request.headers)
            if self._is_own(url) and request.scope in self._authorizations:
                headers["authorization"] = self._authorizations[request.scope]
            answer = await self._tried(request, url, headers)
            if not answer.has_redirect_location or request.method not in ("GET", "HEAD"):
                return answer
            onward = self.onward(url, answer.headers["location"])
            weaker = url.scheme == "https" and onward.scheme != "https"
            if weaker or onward.scheme not in ("http", "https"):
                raise self.nonsense()
            url = onward
        raise self.nonsense()

    async def _tried(
        self, request: Request, url: httpx2.URL, headers: Mapping[str, str]
    ) -> httpx2.Response:
        """Reading is repeated after a broken connection or a "later", writing only if it never began."""
        attempts = backoffs.Attempts(_ATTEMPTS, backoff=backoffs.Backoff(first=_PAUSE))
        async for _ in attempts:
            try:
                answer = await self._once(request, url, headers)
            except exchanges.ERRORS as error:
                failure = self._unreachable(error)
                if request.content is not None and not isinstance(error, httpx2.ConnectError):
                    raise failure from None
                attempts.failed(failure)
                continue
            if attempts.is_last or request.content is not None or answer.status_code not in LATER:
                return answer
            attempts.failed(self.nonsense())
        raise attempts.error

    async def _once(
        self, request: Request, url: httpx2.URL, headers: Mapping[str, str]
    ) -> httpx2.Response:
        """One exchange, whose answer may not be larger than agreed."""
        built = self._client.build_request(
            request.method, url, headers=dict(headers), content=request.content
        )
        answer = await self._client.send(built, stream=True)
        if request.streamed and answer.is_success:
            return answer
        try:
            return await exchanges.finished(answer, most=request.limit)
        except exchanges.TooLarge:
            limit = str(request.limit // 1024)
            raise errors.Unreachable("registry.too-large", host=self.host, limit=limit) from None

    def _is_own(self, url: httpx2.URL) -> bool:
        return (url.scheme, url.netloc) == (self.origin.scheme, self.origin.netloc)

    def _unreachable(self, error: httpx2.HTTPError | ssl.SSLError) -> errors.Unreachable:
        # Who does not speak TLS is found out in the handshake, of which httpx2 tells.
        if (
            isinstance(error, httpx2.HTTPError)
            and _is_no_tls(error)
            and self._is_own(error.request.url)
        ):
            return errors.Unreachable(SPEAKS_PLAINLY, host=self.host)
        reason = masking.Redactor()(str(error) or type(error).__name__)
        return errors.Unreachable("registry.unreachable", host=self.host, reason=reason)


def _is_no_tls(error: BaseException) -> bool:
    """Whether a connection broke because the other side does not speak TLS at all."""
    return any(tls_error.reason in _NO_TLS for tls_error in handshakes.tls_errors(error))
