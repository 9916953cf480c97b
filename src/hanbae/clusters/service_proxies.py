"""What a Service answers through the API server's proxy: its own status and body, whatever they are.

The API server's own refusals (RBAC, no such Service, no pod behind it) are ``Status`` objects and become errors; all
else is the Service's answer.
The proxy takes neither our credentials nor a redirect with it, and the address is one of a Service of one namespace:
nothing in it comes from an answer.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hanbae import errors
from hanbae.clusters import answers, connections, kinds

LARGEST: Final = 1024**2
"""Bytes of an answer."""


class Answer(Struct, frozen=True):
    """What a Service answered.

    Attributes:
        status: The status of HTTP.
        body: The body.
    """

    status: int
    body: bytes


async def request(
    cluster: connections.Cluster,
    namespace: str,
    service: str,
    port: str,
    path: str,
    *,
    content: bytes | None = None,
    most: int = LARGEST,
) -> Answer:
    """Ask a Service something: a GET, or a POST where there is something to send.

    Args:
        cluster: The cluster.
        namespace: The Service's namespace.
        service: Its name.
        port: Name or number of its port.
        path: The path, which begins with ``/`` and has no part that leads upwards.
        content: What to send, as JSON.
        most: Bytes that the answer may have.

    Raises:
        hanbae.errors.Forbidden: The identity may not use the proxy of this Service and port.
        hanbae.clusters.answers.Missing: There is no such Service.
        hanbae.errors.Unreachable: The cluster did not answer, or no pod of the Service does.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        raise ValueError(path)
    verb, method = ("get", "GET") if content is None else ("create", "POST")
    proxied = kinds.proxied(service, port)
    call = cluster.describe(verb, kinds.SERVICE, namespace, name=proxied, subresource="proxy")
    below = kinds.SERVICE.path(namespace, proxied, "proxy")
    status, body = await cluster.reply(call, method, below + path, content=content, most=most)
    # A Status of the Service's own cannot be told from one of the API server.
    if not answers.parsed(body):
        return Answer(status, body)
    failure = answers.failure(status, body, call)
    if isinstance(failure, errors.Forbidden | answers.Missing):
        raise failure
    raise errors.Unreachable(
        "cluster.service-silent",
        service=f"{namespace}/{service}",
        path=path,
        why=failure.text.facts.get("message", ""),
    )
