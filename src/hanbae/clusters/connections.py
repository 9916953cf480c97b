"""A connection to one API server, and the one place through which every request to it goes."""

from __future__ import annotations

import math
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import msgspec

from hanbae import errors, wording
from hanbae.clusters import (
    answers,
    credentials,
    kinds,
    kubeconfigs,
    outages,
    proxies,
    tls,
    transports,
)
from hanbae.streams import backoffs, exchanges, handshakes

CONNECT_TIMEOUT: Final = 10.0
"""Seconds until a server that does not take the connection counts as unreachable."""
ANSWER_TIMEOUT: Final = 65.0
"""Seconds without a byte of an answer; the API server itself gives up after 60 and then says why."""

LARGEST_ANSWER: Final = 512 * 1024 * 1024
"""Bytes of an answer; a page of a list with objects as large as etcd takes them has more, and no cluster has that."""

_ATTEMPTS: Final = 3
# Retry-After is bounded: what stands in front of the API server may ask for hours.
_LONGEST_PAUSE: Final = 5.0
_LONGEST_WAIT: Final = 2.0
"""Seconds between two looks for a server that is gone."""

Answer = TypeVar("Answer")


class Cluster:
    """One API server as one identity. Made by :func:`connect`; safe for concurrent use by tasks of one event loop.

    Attributes:
        context: The kubeconfig's context.
        server: The API server's address.
        namespace: The context's namespace, ``default`` if it names none.
        verified: Whether it is surely the server that the kubeconfig means, and nobody reads along: TLS, with a
            certificate that was checked.
        outages: How long the server is waited for when it is gone.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        *,
        context: str,
        server: str,
        namespace: str = "default",
        tls_name: str | None = None,
        grant: str = "",
        verified: bool = True,
    ) -> None:
        self.context = context
        self.server = server
        self.namespace = namespace
        self.verified = verified
        self.outages = outages.Outages()
        self._client = client
        self._grant = grant
        # The HTTP library checks the certificate against this name, too.
        self._extensions = {"sni_hostname": tls_name} if tls_name else {}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def kubectl(self, *words: str) -> str:
        """A command with which a person asks this cluster; a policy may know several, and none be the current one."""
        return answers.kubectl(self.context, *words)

    def describe(
        self,
        verb: str,
        kind: kinds.Kind,
        namespace: str | None,
        *,
        name: str = "",
        subresource: str = "",
    ) -> answers.Call:
        """What a request is about, for errors."""
        resource = kind.resource + (f"/{subresource}" if subresource else "")
        where = (namespace or "") if kind.namespaced else ""
        return answers.Call(verb, resource, where, name, self.context, self.server, self._grant)

    async def send(
        self,
        call: answers.Call,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """Make one request and return the answer's body.

        A read whose connection broke is repeated at once, and what the server puts off (429, 503 with Retry-After) is
        repeated after the pause that it asks for, at most twice: neither has changed anything. Of a server that is gone
        :attr:`outages` says how long it is waited for.

        Args:
            call: What it is about.
            method: The HTTP method.
            path: Below the API server's address.
            params: The query.
            body: What to send, as JSON.
            content_type: Of the body.
            accept: The form that the answer is to have.

        Raises:
            hanbae.errors.Error: Any of those that :mod:`hanbae.clusters.answers` draws.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {"accept": accept}
        if content is not None:
            headers["content-type"] = content_type
        request = self._client.build_request(
            method,
            path,
            params=params,
            content=content,
            headers=headers,
            extensions=self._extensions,
        )
        return await self._outlasting(lambda: self._sent(call, request))

    async def _sent(self, call: answers.Call, request: httpx2.Request) -> bytes:
        # A write is repeated as well: what is put off was not carried out.
        attempts = backoffs.Attempts(_ATTEMPTS)
        async for _ in attempts:
            response = await self._exchanged(call, request, most=LARGEST_ANSWER)
            if response.is_success:
                return response.content
            failure = answers.failure(response.status_code, response.content, call)
            pause = _put_off(response)
            if pause is None:
                raise failure
            attempts.failed(failure, pause=pause)
        raise attempts.error

    async def reply(
        self,
        call: answers.Call,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        most: int = LARGEST_ANSWER,
    ) -> tuple[int, bytes]:
        """Make one request and return the status and the body of whatever answers; redirects are not followed.

        For what is reached through the API server, whose statuses are its own.

        Args:
            call: What it is about.
            method: The HTTP method.
            path: Below the API server's address.
            content: What to send, as JSON.
            most: Bytes that the answer may have.

        Raises:
            hanbae.errors.Unreachable: Nobody answered, or with more than `most` bytes.
        """
        headers = {"accept": "*/*"}
        if content is not None:
            headers["content-type"] = "application/json"
        request = self._client.build_request(
            method, path, content=content, headers=headers, extensions=self._extensions
        )
        response = await self._outlasting(lambda: self._exchanged(call, request, most=most))
        return response.status_code, response.content

    async def _exchanged(
        self, call: answers.Call, request: httpx2.Request, *, most: int
    ) -> httpx2.Response:
        """One exchange, whatever the answer."""
        try:
            return await exchanges.whole(self._client, request, most=most, repeat=not call.writes)
        except exchanges.TooLarge:
            raise answers.too_large(most, call) from None
        except exchanges.ERRORS as error:
            raise answers.lost(error, call) from None

    async def _outlasting(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """What a request comes to, once the server is there to take it."""
        # The loop ends by `outages`, whose patience all requests of the connection share.
        pauses = backoffs.Backoff(longest=_LONGEST_WAIT)
        while True:
            try:
                answer = await attempt()
            except errors.Error as error:
                if not self.outages.outlasts(error):
                    raise
                await pauses.pause()
            else:
                self.outages.answered()
                return answer

    async def ask(
        self,
        call: answers.Call,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> kinds.Object:
        """As :meth:`send`, for answers that are a JSON object."""
        answer = await self.send(
            call, method, path, params=params, body=body, content_type=content_type, accept=accept
        )
        return answers.decoded(answer, call)

    @asynccontextmanager
    async def stream(
        self,
        call: answers.Call,
        path: str,
        *,
        params: Mapping[str, str],
        idle: float,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read an answer that goes on, chunk by chunk.

        Args:
            call: What it is about.
            path: Below the API server's address.
            params: The query.
            idle: Seconds without a byte after which the exchange counts as broken.

        Raises:
            hanbae.errors.Error: As `send`; also out of the iteration when the exchange breaks.
        """
        timeout = httpx2.Timeout(idle, connect=CONNECT_TIMEOUT, pool=None)
        with _translated(call):
            async with self._client.stream(
                "GET",
                path,
                params=params,
                timeout=timeout,
                # `aiter_raw` unpacks nothing, so nothing may be packed.
                headers={"accept": "application/json", "accept-encoding": "identity"},
                extensions=self._extensions,
            ) as response:
                if not response.is_success:
                    whole = await exchanges.finished(response, most=LARGEST_ANSWER)
                    failure = answers.failure(whole.status_code, whole.content, call)
                    raise self.outages.judged(failure)
                yield response.aiter_raw()


def require(context: str) -> None:
    """Refuse a context that the kubeconfig does not have; nothing is connected to.

    Where there is no kubeconfig, only who needs a cluster has to know.

    Raises:
        hanbae.errors.WrongUse: It is not there; lists the contexts.
        hanbae.errors.FileFault: The kubeconfig has a fault.
    """
    configuration = kubeconfigs.merged(kubeconfigs.files(None, os.environ))
    if configuration["contexts"]:
        kubeconfigs.chosen(configuration, context)


@asynccontextmanager
async def connect(
    context: str | None = None, *, kubeconfig: Path | None = None, grant: str = ""
) -> AsyncIterator[Cluster]:
    """A connection to the cluster of a context; nothing is sent before the first request.

    Args:
        context: A context of the kubeconfig; None for the current one.
        kubeconfig: The file; None for those that kubectl would read, or the pod's service account.
        grant: The command that gives hanbae its rights there, for errors.

    Raises:
        hanbae.errors.WrongUse: No such file or context, or one that cannot be used; lists the contexts.
    """
    configuration = kubeconfigs.merged(kubeconfigs.files(kubeconfig, os.environ))
    if not configuration["contexts"] and not context and kubeconfig is None:
        configuration = kubeconfigs.in_cluster(os.environ)
    name = kubeconfigs.chosen(configuration, context)
    settings, server, user = kubeconfigs.of_context(configuration, name)
    _warn(name, server)
    cluster = Cluster(
        _client(name, server, user),
        context=name,
        server=server.server,
        namespace=settings.namespace or "default",
        tls_name=server.tls_server_name or None,
        grant=grant,
        verified=server.encrypted and not server.insecure_skip_tls_verify,
    )
    try:
        yield cluster
    finally:
        await cluster.close()


def _warn(context: str, server: kubeconfigs.Server) -> None:
    """Say aloud what makes a connection worth less than it looks."""
    facts = {"context": context, "server": server.server}
    if not server.encrypted:
        wording.warn(wording.Text("cluster.not-encrypted", facts))
    elif server.insecure_skip_tls_verify:
        wording.warn(wording.Text("cluster.not-verified", facts))


def _client(name: str, server: kubeconfigs.Server, user: kubeconfigs.User) -> httpx2.AsyncClient:
    """The HTTP client for a context."""
    address = server.server if "://" in server.server else f"http://{server.server}"
    try:
        base = _base(address)
        connection = tls.context(server, user)
        proxy = server.proxy_url or proxies.of_environment(address, os.environ)
        transport = transports.Renewable(
            lambda: httpx2.AsyncHTTPTransport(
                verify=connection,
                proxy=proxy,
                # Proxies are found above, by kubectl's rules.
                trust_env=False,
                # Each watch and each log that is followed holds a connection; with a bound, and no
                # timeout for the pool, other requests would wait for them without end.
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            )
        )
        return httpx2.AsyncClient(
            base_url=base,
            transport=transport,
            auth=credentials.of(server, user, name, connection, transport.renew),
            trust_env=False,
            timeout=httpx2.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT, pool=None),
            # Impersonate-Group comes once for each group, and names need not be ASCII: hence a
            # list, of bytes.
            headers=[(b"user-agent", b"hanbae"), *credentials.impersonation(user)],
            event_hooks={"request": [handshakes.look_after]},
        )
    # ImportError: for a SOCKS proxy the HTTP library needs a package that may not be installed.
    except (httpx2.InvalidURL, ssl.SSLError, OSError, ValueError, ImportError) as error:
        why = answers.bounded(str(error)) or type(error).__name__
        raise errors.WrongUse("cluster.bad-context", context=name, why=why) from None


def _base(address: str) -> httpx2.URL:
    parts = httpx2.URL(address)
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise ValueError(f"server: {parts.scheme}://{parts.host}")
    if parts.userinfo:
        raise ValueError("server: ://…@")  # neither the password nor the name is shown
    # kubectl leaves these out as well.
    return parts.copy_with(query=None, fragment=None)


@contextmanager
def _translated(call: answers.Call) -> Iterator[None]:
    try:
        yield
    except exchanges.TooLarge:
        raise answers.too_large(LARGEST_ANSWER, call) from None
    except exchanges.ERRORS as error:
        raise answers.lost(error, call) from None


def _put_off(response: httpx2.Response) -> float | None:
    """Seconds to wait before asking again, or None when the answer is final."""
    if response.status_code not in {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }:
        return None
    try:
        seconds = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return min(seconds, _LONGEST_PAUSE) if math.isfinite(seconds) else None
