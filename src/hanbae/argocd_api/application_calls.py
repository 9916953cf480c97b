"""Applications through Argo CD's API: read, refreshed, synced, told to end, and watched through its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, object_shapes
from hanbae.argocd_api import answers, connections
from hanbae.streams import backoffs, framing

SILENT_AFTER: Final = 10.0
"""Seconds without an event after which the Application is read again and its stream opened anew.

Argo CD lists before it subscribes, so an event between the two never comes; and a server that hangs says nothing.
"""
LONGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event; etcd takes no Application of more than 1.5 MiB."""
REFUSALS: Final = 4
"""Refusals that a watch bears which was allowed before: a restarting Argo CD answers before it knows its roles."""

_PATH: Final = "/api/v1/applications"

Object = dict[str, Any]


class Address(Struct, frozen=True):
    """Which Application.

    Attributes:
        name: Its name.
        project: Its project; named in each request, because only then does Argo CD tell "missing" from "forbidden".
        namespace: Its namespace.
    """

    name: str
    project: str
    namespace: str

    @property
    def path(self) -> str:
        """Below Argo CD's address."""
        return f"{_PATH}/{quote(self.name, safe='')}"

    @property
    def params(self) -> dict[str, str]:
        """The query that goes with it."""
        return {"project": self.project, "appNamespace": self.namespace}


class WatchEvent(Struct, frozen=True):
    """One thing that happened to the Application; see :class:`hanbae.clusters.watching.WatchEvent`."""

    type: Literal["added", "changed", "deleted"]
    application: Object


async def get(server: connections.Server, address: Address) -> Object | None:
    """The Application, or None when there is none of this name in this project.

    Raises:
        hanbae.errors.Forbidden: The token's role may not ``get`` it.
        hanbae.errors.Unreachable: Argo CD did not answer.
    """
    call = server.describe("get", application=address.name, project=address.project)
    try:
        answer = await server.ask(call, "GET", address.path, params=address.params)
    except answers.Missing:
        return None
    return answers.application(answer, call)


async def refresh(
    server: connections.Server, address: Address, *, how: object_shapes.RefreshKind = "normal"
) -> Object:
    """Have Argo CD look at the repository, and wait until it has.

    Raises:
        hanbae.errors.Refused: There is none.
        hanbae.errors.Forbidden: The token's role may not ``get`` it.
        hanbae.errors.Unreachable: Argo CD did not answer: its API server, or the controller behind it.
    """
    call = server.describe("get", application=address.name, project=address.project)
    params = address.params | {"refresh": how}
    return answers.application(await server.ask(call, "GET", address.path, params=params), call)


async def sync(server: connections.Server, address: Address, request: Mapping[str, Any]) -> Object:
    """Start an operation; :func:`hanbae.argo.operations.request` makes the request.

    Returns:
        The Application with it.

    Raises:
        hanbae.argocd_api.answers.Busy: Another operation is in progress.
        hanbae.argocd_api.answers.Unanswered: It may or may not have been started.
        hanbae.errors.Refused: A sync window, or another rule of Argo CD's.
        hanbae.errors.Forbidden: The token's role may not ``sync`` it.
    """
    call = server.describe("sync", application=address.name, project=address.project, writes=True)
    identity = {
        "name": address.name,
        "project": address.project,
        "appNamespace": address.namespace,
    }
    answer = await server.ask(call, "POST", f"{address.path}/sync", body={**request, **identity})
    return answers.application(answer, call)


async def terminate(server: connections.Server, address: Address) -> None:
    """Tell the operation that runs to end, whichever it is: Argo CD does not take a key.

    Raises:
        hanbae.argocd_api.answers.Idle: None runs, or the one that is asked for has not begun.
        hanbae.argocd_api.answers.Unanswered: It may or may not have been told.
        hanbae.errors.Forbidden: The token's role may not ``sync`` it.
    """
    call = server.describe("sync", application=address.name, project=address.project, writes=True)
    path = f"{address.path}/operation"
    await server.ask(call, "DELETE", path, params=address.params)


async def watch(
    server: connections.Server,
    address: Address,
    *,
    silent_after: float = SILENT_AFTER,
    backoff: backoffs.Backoff | None = None,
    present: Object | None = None,
) -> AsyncGenerator[WatchEvent]:
    """Every version of the Application, beginning with the present one; it never ends by itself.

    Args:
        server: Argo CD.
        address: The Application; it need not exist yet.
        silent_after: See :data:`SILENT_AFTER`.
        backoff: The pauses between attempts.
        present: The Application as it was read before: that version is not given again, and where it is gone by now,
            it is deleted.

    Raises:
        hanbae.errors.Forbidden: The token's role may not ``get`` it; at once, unless it could before.
        hanbae.errors.Refused: The request is not accepted.
    """
    memory = _Watcher(present)
    backoff = backoff or backoffs.Backoff()
    loop = asyncio.get_running_loop()
    refusals = 0
    while True:
        opened = loop.time()
        try:
            # Asked before each stream: a deletion that happened while none was open is in no
            # stream.
            for change in memory.read(await get(server, address)):
                yield change
            # It was allowed just now, so a refusal may be that of a server that has only just
            # started.
            refusals = REFUSALS
            async with aclosing(_follow(server, address, memory, silent_after)) as stream:
                async for change in stream:
                    backoff.reset()
                    yield change
            if loop.time() - opened < silent_after / 4:
                await backoff.pause()  # who hangs up at once is not asked again in a circle
        # The silence was pause enough.
        except answers.Silent:
            continue
        except errors.Unreachable as error:
            refusals -= isinstance(error, errors.Forbidden)
            if isinstance(error, errors.Forbidden) and refusals < 0:
                raise
            await backoff.pause()


async def _follow(
    server: connections.Server, address: Address, memory: _Watcher, silent_after: float
) -> AsyncGenerator[WatchEvent]:
    """What the stream says, until Argo CD ends it."""
    call = server.describe("get", application=address.name, project=address.project)
    params = {"name": address.name, "projects": address.project, "appNamespace": address.namespace}
    path = "/api/v1/stream/applications"
    async with server.stream(call, path, params=params, silent_after=silent_after) as chunks:
        async for line, cut in framing.lines(chunks, longest=LONGEST_EVENT):
            if cut:
                raise answers.too_large(LONGEST_EVENT, call)
            if not line.strip():
                continue
            event = answers.decoded(line, call, server.redact)
            if "error" in event:
                body = msgspec.json.encode(event["error"])
                described = foreign_json.below(event, "error")
                code = foreign_json.number(described.get("http_code") or None, 500)
                raise answers.failure(code, body, call, server.redact)
            result = foreign_json.below(event, "result")
            if foreign_json.below(result, "application", "metadata").get("name"):
                answers.application(result["application"], call)
            for change in memory.take(result):
                yield change


class _Watcher:
    """What is known of the Application so far."""

    def __init__(self, present: Object | None) -> None:
        self._last = present

    def read(self, application: Object | None) -> Iterator[WatchEvent]:
        """What is new in an answer to a direct question, a deletion that nobody told of included."""
        if application is not None:
            yield from self._learn(application)
        elif self._last is not None:
            gone, self._last = self._last, None
            yield WatchEvent("deleted", gone)

    def take(self, event: Mapping[str, Any]) -> Iterator[WatchEvent]:
        """What is new in an event of the stream."""
        application = foreign_json.below(event, "application")
        if not foreign_json.below(application, "metadata").get("name"):
            return
        if event.get("type") == "DELETED":
            if self._last is not None and _uid(self._last) == _uid(application):
                self._last = None
                yield WatchEvent("deleted", application)
        else:
            yield from self._learn(application)

    def _learn(self, application: Object) -> Iterator[WatchEvent]:
        before, version = self._last, object_shapes.version(application)
        if before is not None and _uid(before) == _uid(application):
            # The stream lags behind a direct question; what is older than what was shown is not shown.
            if version <= object_shapes.version(before):
                return
            self._last = application
            yield WatchEvent("changed", application)
            return
        # Versions come from one counter of etcd, so a lower one is of the former object of this
        # name.
        if before is not None and version <= object_shapes.version(before):
            return
        self._last = application
        if before is not None:
            yield WatchEvent("deleted", before)
        yield WatchEvent("added", application)


def _uid(application: Object) -> str:
    return str(application["metadata"].get("uid") or "")
