"""A Service behind a real API server's proxy: its own answers come through, and none of them leads elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.support import polling, proxied

from hanbae import errors
from hanbae.clusters import answers, connections, kinds, service_proxies, writing

Namer = Callable[[str], str]
ENDPOINTS = kinds.Kind("", "v1", "endpoints", "Endpoints")
WITHIN = 20.0
SLICE = kinds.Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")


class Backend:
    """A web server that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def served(cluster: connections.Cluster, name: str) -> AsyncIterator[Backend]:
    backend = Backend()
    host = proxied.address()
    server = await asyncio.start_server(backend, host, 0)
    port = server.sockets[0].getsockname()[1]
    await writing.create(cluster, kinds.POD, proxied.pod("default", name))
    request = cluster.describe("patch", kinds.POD, "default", name=name, subresource="status")
    await cluster.ask(
        request,
        "PATCH",
        kinds.POD.path("default", name, "status"),
        body=proxied.status(host),
        content_type="application/merge-patch+json",
    )
    objects = proxied.objects("default", name, host, port)
    for kind, manifest in zip((kinds.SERVICE, ENDPOINTS, SLICE), objects, strict=True):
        await writing.create(cluster, kind, manifest)
    async with server:
        await polling.reached(lambda: answers_now(cluster, name), within=WITHIN, pause=0.1)
        backend.requests.clear()
        yield backend


async def answers_now(cluster: connections.Cluster, name: str) -> bool:
    """Whether the API server knows a Service and what stands behind it: a moment after both are stored."""
    try:
        await service_proxies.request(cluster, "default", name, "http", "/")
    except (errors.Unreachable, answers.Missing):
        return False
    return True


async def is_silent(cluster: connections.Cluster, name: str) -> bool:
    """Whether the API server knows a Service, and says that nothing stands behind it."""
    try:
        await service_proxies.request(cluster, "default", name, "http", "/")
    except errors.Unreachable as error:
        return error.text.id == "cluster.service-silent"
    except answers.Missing:
        pass
    return False


async def test_the_answer_of_a_service_is_its_own_and_our_credentials_stay_here(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("shop")
    async with served(cluster, name) as backend:
        answer = await service_proxies.request(cluster, "default", name, "http", "/healthz")
        assert (answer.status, answer.body) == (200, b"ok")
        (request,) = backend.requests
        assert request.startswith(b"GET /healthz HTTP/1.1\r\n")
        assert b"authorization" not in request.lower()
        backend.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
        answer = await service_proxies.request(cluster, "default", name, "http", "/healthz")
        assert (answer.status, answer.body) == (503, b"busy")


async def test_a_redirect_is_an_answer_and_is_not_followed(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("shop")
    async with served(cluster, name) as backend:
        backend.answer = (
            b"HTTP/1.1 302 Found\r\nLocation: /api/v1/namespaces/kube-system/secrets\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        answer = await service_proxies.request(cluster, "default", name, "http", "/")
        assert answer.status == 302
        assert len(backend.requests) == 1


async def test_more_than_an_answer_may_have_is_not_read(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("shop")
    async with served(cluster, name) as backend:
        size = service_proxies.LARGEST + 1
        backend.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
        with pytest.raises(errors.Unreachable) as caught:
            await service_proxies.request(cluster, "default", name, "http", "/")
        assert caught.value.text.id == "cluster.too-large"


async def test_a_service_without_pods_is_silent_and_an_absent_one_missing(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("shop")
    ports = [{"name": "http", "port": 80}]
    metadata = {"namespace": "default", "name": name}
    service = {"metadata": metadata, "spec": {"ports": ports, "selector": {"app": name}}}
    await writing.create(cluster, kinds.SERVICE, service)
    await writing.create(cluster, ENDPOINTS, {"metadata": metadata})
    await polling.reached(lambda: is_silent(cluster, name), within=WITHIN, pause=0.1)
    with pytest.raises(answers.Missing):
        await service_proxies.request(cluster, "default", unique("absent"), "http", "/")


async def test_no_path_leads_out_of_the_service(cluster: connections.Cluster) -> None:
    with pytest.raises(ValueError, match="secrets"):
        await service_proxies.request(cluster, "default", "a", "http", "/x/../../../secrets")
