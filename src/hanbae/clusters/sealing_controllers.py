"""A Sealed Secrets controller's own API, through the API server's proxy and at the pace that it allows.

A controller answers two requests a second to each of its pages and refuses what is more (``--rate-limit``); so each
page is asked that often at most.
What is sent holds no plaintext, and of a SealedSecret only what binds its values: controllers below 0.40.0 fill in its
template, which is an oracle, and all of them lose what else is in it when they seal anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from hanbae import errors, foreign_json
from hanbae.clusters import answers, connections, kinds, reading, service_proxies
from hanbae.policy import documents, environments
from hanbae.streams import backoffs

PER_SECOND: Final = 2.0
"""Requests to one page in a second, as controllers allow by default."""
_T = TypeVar("_T")
_SILENT: Final = "cluster.service-silent"
_IMAGE: Final = "sealed-secrets"
_CERTIFICATE: Final = "/v1/cert.pem"
_VERIFY: Final = "/v1/verify"
_ROTATE: Final = "/v1/rotate"
_LARGEST: Final = 4 * 1024**2
"""Bytes; a Secret of Kubernetes' largest size, sealed, is about 2 MiB."""
_TRIES: Final = 6
"""Others may ask the same controller at the same time."""


class Controller:
    """The controller of an environment. Made by :func:`reached`.

    Attributes:
        source: Where it is: its Service, the context, the API server.
    """

    def __init__(
        self, cluster: connections.Cluster, namespace: str, name: str, port: str, per_second: float
    ) -> None:
        self.source = f"{namespace}/{name} ({cluster.context}, {cluster.server})"
        self.cluster = cluster
        self.namespace = namespace
        self._name = name
        self._port = port
        self._gap = 1 / per_second
        self._next: dict[str, float] = {}

    async def certificate(self) -> bytes:
        """The newest certificate, PEM.

        Raises:
            hanbae.errors.Unreachable: The controller did not answer.
        """
        return await _patiently(
            lambda: reading.service_get(
                self.cluster, self.namespace, self._name, _CERTIFICATE, port=self._port
            )
        )

    async def opens(self, sealed: Mapping[str, Any]) -> bool:
        """Whether the controller can open all values of a SealedSecret.

        Raises:
            hanbae.errors.Unreachable: It did not answer, or something else than yes or no.
        """
        answer = await self._ask(_VERIFY, sealed)
        # 200 says that it opens all of them, 409 that it does not.
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CONFLICT):
            raise self._strange(_VERIFY, answer)
        return answer.status == HTTPStatus.OK

    async def sealed_anew(self, sealed: Mapping[str, Any]) -> dict[str, Any] | None:
        """The values of a SealedSecret, sealed for the newest certificate; None where it cannot open them.

        Raises:
            hanbae.errors.Unreachable: It did not answer, or not with a SealedSecret.
        """
        answer = await self._ask(_ROTATE, sealed)
        # Controllers answer 500 where they cannot open a value; their documentation says 409.
        if answer.status in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.CONFLICT):
            return None
        content = foreign_json.mapping(answer.body)
        values = foreign_json.below(content, "spec").get("encryptedData")
        if answer.status != HTTPStatus.OK or not isinstance(values, dict):
            raise self._strange(_ROTATE, answer)
        return values

    async def _ask(self, path: str, sealed: Mapping[str, Any]) -> service_proxies.Answer:
        content = msgspec.json.encode(sealed)
        for attempt in range(1, _TRIES + 1):
            await self._pace(path, attempt)
            answer = await _patiently(
                lambda: service_proxies.request(
                    self.cluster,
                    self.namespace,
                    self._name,
                    self._port,
                    path,
                    content=content,
                    most=_LARGEST,
                )
            )
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                break
        return answer

    async def _pace(self, path: str, attempt: int) -> None:
        now = asyncio.get_running_loop().time()
        # After a refusal it is asked ever less often: others use up what it allows.
        due = max(now, self._next.get(path, now)) + self._gap * (attempt - 1)
        # Taken before the wait, so that each of several tasks gets a slot of its own.
        self._next[path] = due + self._gap
        await asyncio.sleep(due - now)

    def _strange(self, path: str, answer: service_proxies.Answer) -> errors.Unreachable:
        body = answers.bounded(answer.body[:1000].decode("utf-8", "replace"))
        facts = {"controller": self.source, "path": path, "status": str(answer.status)}
        return errors.Unreachable("seal.controller-strange", place=None, message=body, **facts)


async def _patiently(call: Callable[[], Awaitable[_T]]) -> _T:
    """Ask again where no pod answered: for a moment after a restart the proxy still leads to the former one."""
    attempts = backoffs.Attempts(_TRIES, backoff=backoffs.Backoff(first=0.5, longest=2.0))
    async for _ in attempts:
        try:
            return await call()
        except errors.Unreachable as error:
            if error.text.id != _SILENT:
                raise
            attempts.failed(error)
    raise attempts.error


@asynccontextmanager
async def reached(
    policy: documents.Policy,
    environment: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    unverified: bool = False,
    per_second: float = PER_SECOND,
) -> AsyncIterator[Controller]:
    """The controller that opens an environment's secrets.

    Args:
        policy: The policy.
        environment: The environment.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        unverified: Ask over a connection on which anybody may answer, too.
        per_second: Requests to one of its pages in a second.

    Raises:
        hanbae.errors.Refused: There is no such controller, or the connection is not verified.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    namespace, _, name = policy.secrets.controller.partition("/")
    context = context or environments.workload(policy.environments[environment])
    async with connections.connect(context, kubeconfig=kubeconfig) as cluster:
        if not cluster.verified and not unverified:
            # Before anything is sent: whoever answers there would be believed.
            facts = {
                "environment": environment,
                "context": cluster.context,
                "server": cluster.server,
            }
            raise errors.Refused("seal.unverified", place=None, **facts)
        port = await reading.first_port(cluster, namespace, name)
        yield Controller(cluster, namespace, name, port, per_second)


async def images(cluster: connections.Cluster, policy: documents.Policy) -> list[str] | None:
    """Images of the controllers beside the one that the policy names; None where they may not be read.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    namespace = policy.secrets.controller.partition("/")[0]
    try:
        deployments = await reading.find(cluster, kinds.DEPLOYMENT, namespace)
    except errors.Forbidden:
        return None
    containers = [
        container
        for deployment in deployments
        for container in foreign_json.mappings(
            foreign_json.below(deployment, "spec", "template", "spec").get("containers")
        )
    ]
    every = (str(container.get("image") or "") for container in containers)
    return [answers.bounded(image) for image in every if _IMAGE in image]
