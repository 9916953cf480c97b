"""A connection to one API server, and the one place through which every request to it goes.

lightkube knows kubeconfigs, credential plugins and TLS; the requests are made here, on the HTTP client that it
configures, because its own watch, log and error handling cannot be relied on when an API server restarts.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from hanbae import errors
from hanbae.clusters import answers, kinds, kubeconfigs
from hanbae.streams import handshakes

CONNECT_TIMEOUT: Final = 10.0
"""Seconds until a server that does not take the connection counts as unreachable."""
ANSWER_TIMEOUT: Final = 65.0
"""Seconds without a byte of an answer; the API server itself gives up after 60 and then says why."""

_TRIES: Final = 3
_LONGEST_PAUSE: Final = 5.0
_BROKEN: Final = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


class Cluster:
    """One API server as one identity. Made by :func:`connect`; safe for concurrent use by tasks of one event loop.

    Attributes:
        context: The kubeconfig's context.
        server: The API server's address.
        namespace: The context's namespace, ``default`` if it names none.
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
    ) -> None:
        self.context = context
        self.server = server
        self.namespace = namespace
        self._client = client
        self._grant = grant
        self._extensions = {"sni_hostname": tls_name} if tls_name else {}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def asked(
        self,
        verb: str,
        kind: kinds.Kind,
        namespace: str | None,
        *,
        name: str = "",
        subresource: str = "",
    ) -> answers.Asked:
        """What a request is about, for errors."""
        resource = kind.resource + (f"/{subresource}" if subresource else "")
        where = (namespace or "") if kind.namespaced else ""
        return answers.Asked(verb, resource, where, name, self.context, self.server, self._grant)

    async def send(
        self,
        asked: answers.Asked,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> bytes:
        """Make one request and return the answer's body.

        A read whose connection broke is repeated at once, and what the server puts off (429, 503 with Retry-After) is
        repeated after the pause that it asks for, at most twice: neither has changed anything.

        Args:
            asked: What it is about.
            method: The HTTP method.
            path: Below the API server's address.
            params: The query.
            body: What to send, as JSON.
            content_type: Of the body.

        Raises:
            hanbae.errors.Error: Any of those that :mod:`hanbae.clusters.answers` draws.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {"accept": "application/json"}
        if content is not None:
            headers["content-type"] = content_type
        for left in range(_TRIES - 1, -1, -1):
            try:
                response = await self._client.request(
                    method,
                    path,
                    params=params,
                    content=content,
                    headers=headers,
                    extensions=self._extensions,
                )
            except httpx2.HTTPError as error:
                if left and not asked.writes and isinstance(error, _BROKEN):
                    continue
                raise answers.lost(error, asked) from None
            if response.is_success:
                return response.content
            pause = _put_off(response)
            if not left or pause is None:
                answers.refuse(response.status_code, response.content, asked)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")  # the last round returns or raises

    async def ask(
        self,
        asked: answers.Asked,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> kinds.Object:
        """As :meth:`send`, for answers that are a JSON object."""
        answer = await self.send(
            asked, method, path, params=params, body=body, content_type=content_type
        )
        return answers.decoded(answer, asked)

    @asynccontextmanager
    async def stream(
        self,
        asked: answers.Asked,
        path: str,
        *,
        params: Mapping[str, str],
        idle: float,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read an answer that goes on, chunk by chunk.

        Args:
            asked: What it is about.
            path: Below the API server's address.
            params: The query.
            idle: Seconds without a byte after which the exchange counts as broken.

        Raises:
            hanbae.errors.Error: As `send`; also out of the iteration when the exchange breaks.
        """
        timeout = httpx2.Timeout(idle, connect=CONNECT_TIMEOUT, pool=None)
        with _translated(asked):
            async with self._client.stream(
                "GET",
                path,
                params=params,
                timeout=timeout,
                headers={"accept": "application/json", "accept-encoding": "identity"},
                extensions=self._extensions,
            ) as response:
                if not response.is_success:
                    answers.refuse(response.status_code, await response.aread(), asked)
                yield response.aiter_raw()


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
    client, server, spoken = _client(name, *kubeconfigs.of_context(configuration, name))
    cluster = Cluster(
        client,
        context=name,
        server=server,
        namespace=spoken.get("namespace") or "default",
        tls_name=spoken.get("tls-server-name"),
        grant=grant,
    )
    try:
        yield cluster
    finally:
        await cluster.close()


def _client(
    name: str, context: dict[str, Any], cluster: dict[str, Any], user: dict[str, Any]
) -> tuple[httpx2.AsyncClient, str, dict[str, Any]]:
    """The HTTP client that lightkube's settings for the context make."""
    # lightkube and its models cost a quarter of a second to import: only who connects pays.
    from lightkube.config import client_adapter, kubeconfig, models
    from lightkube.core import exceptions

    from hanbae.clusters import credentials

    try:
        with credentials.keys_in_memory(user) as readable:
            single = kubeconfig.SingleConfig(
                context_name=name,
                context=msgspec.convert(context, models.Context),
                cluster=msgspec.convert(cluster, models.Cluster),
                user=msgspec.convert(readable, models.User),
            )
            parameters = client_adapter.ConnectionParams(
                timeout=httpx2.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT, pool=None),
                proxy=cluster.get("proxy-url"),
            )
            settings = parameters.httpx_params(single)
        if settings["auth"] is not None:
            settings["auth"] = credentials.Credentials(settings["auth"], name)
        client = httpx2.AsyncClient(
            **settings,
            headers={"user-agent": "hanbae"},
            event_hooks={"request": [handshakes.look_after]},
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        )
    except (
        exceptions.ConfigError,
        msgspec.ValidationError,
        httpx2.InvalidURL,
        ssl.SSLError,
        OSError,
        ValueError,
    ) as error:
        why = answers.bounded(str(error)) or type(error).__name__
        raise errors.WrongUse("cluster.bad-context", context=name, why=why) from None
    spoken = {
        "namespace": context.get("namespace"),
        "tls-server-name": cluster.get("tls-server-name"),
    }
    return client, single.cluster.server, spoken


@contextmanager
def _translated(asked: answers.Asked) -> Iterator[None]:
    try:
        yield
    except httpx2.HTTPError as error:
        raise answers.lost(error, asked) from None


def _put_off(response: httpx2.Response) -> float | None:
    """Seconds to wait before asking again, or None when the answer is final."""
    if response.status_code not in {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }:
        return None
    try:
        return min(float(response.headers["retry-after"]), _LONGEST_PAUSE)
    except (KeyError, ValueError):
        return None
