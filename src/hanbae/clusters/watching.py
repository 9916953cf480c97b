"""What happens to objects, from those that exist to those that go, through restarts of the API server.

A watch is a promise that nothing is missed: it goes on from the resourceVersion that it had reached, it lists again
when that is too old and works out what was deleted meanwhile, and it says when it cannot see, so that a live view
does not show an old state as if it were the present one.
A server that neither answers nor hangs up is noticed: it is asked to end every watch after a while, and one that does
not is given up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, object_shapes, wording
from hanbae.clusters import answers, connections, kinds, reading
from hanbae.streams import backoffs, framing

ENDS_AFTER: Final = 40
"""Seconds after which the API server ends a watch, about; it is opened again from where it was."""
STALLED_AFTER: Final = 8.0
"""Seconds that a server may be late with that before it counts as stalled."""
LONGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event; etcd takes no object of more than 1.5 MiB."""
REFUSALS: Final = 4
"""Refusals that a watch bears which was allowed before: a restarting API server answers before it knows its roles."""


class WatchEvent(Struct, frozen=True):
    """One thing that happened to an object.

    Attributes:
        type: ``added`` also for the objects that existed when the watch began.
        object: The object as it is now; for ``deleted`` as it was last known.
    """

    type: Literal["added", "changed", "deleted"]
    object: kinds.Object


class Link(Struct, frozen=True):
    """Whether the watch sees the present.

    Attributes:
        live: True once all existing objects were given, and again after each reconnect.
        why: Why it does not see, when it does not.
    """

    live: bool
    why: wording.Text | None = None


def unversioned(item: kinds.Object) -> kinds.Object:
    """An object that was read before, for :func:`watch`: it is given again as it is, in whichever version."""
    metadata = {
        name: value for name, value in item["metadata"].items() if name != "resourceVersion"
    }
    return {**item, "metadata": metadata}


async def watch(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    namespace: str | None,
    *,
    label_selector: str | None = None,
    field_selector: str | None = None,
    on_link: Callable[[Link], None] | None = None,
    ends_after: float = ENDS_AFTER,
    stalled_after: float = STALLED_AFTER,
    backoff: backoffs.Backoff | None = None,
    present: Iterable[kinds.Object] = (),
) -> AsyncGenerator[WatchEvent]:
    """Everything that happens to the chosen objects, beginning with those that exist; it never ends by itself.

    It holds no task: cancel the task that iterates, or wrap it in :func:`contextlib.aclosing` to break off.

    Args:
        cluster: The cluster.
        kind: The kind of the objects.
        namespace: Their namespace; None or empty for all.
        label_selector: Which labels they have.
        field_selector: Which fields they have, such as ``metadata.name=auth-dev``.
        on_link: Called whenever the watch begins or ceases to see the present; not in step with a queue that the
            caller puts between.
        ends_after: Seconds until the server is to end each request.
        stalled_after: Seconds of silence beyond that until the server counts as stalled.
        backoff: The pauses between attempts.
        present: Chosen objects that the caller has read already. They are not given again in that version, and one that
            goes before the watch begins, which an outage may put off, is ``deleted`` as any other; see
            :func:`unversioned` as well.

    Raises:
        hanbae.errors.Forbidden: The identity may not list or watch these objects; at once, unless it could before.
        hanbae.errors.WrongUse: The cluster does not serve this kind.
        hanbae.errors.Refused: The request is not accepted, such as a bad selector.
    """
    watcher = _Watcher(cluster, kind, namespace, label_selector, field_selector, present=present)
    backoff = backoff or backoffs.Backoff()
    link = _LinkReport(on_link)
    loop = asyncio.get_running_loop()
    while True:
        opened = loop.time()
        try:
            if not watcher.version:
                for change in await watcher.relist():
                    yield change
            async with aclosing(watcher.follow(ends_after, stalled_after, link)) as stream:
                async for change in stream:
                    backoff.reset()
                    yield change
            if loop.time() - opened < ends_after / 4:
                # A server or proxy that hangs up early is not asked again in a circle.
                await backoff.pause()
        except answers.Expired:
            watcher.version = ""
            await backoff.pause()
        except errors.Unreachable as error:
            if isinstance(error, errors.Forbidden) and not link.may_be_mistaken():
                raise
            link.lost(error.text)
            await backoff.pause()


class _LinkReport:
    """What the caller was told about the link, so that only changes are told."""

    def __init__(self, tell: Callable[[Link], None] | None) -> None:
        self._tell = tell or (lambda _: None)
        self._live: bool | None = None
        self._refusals_left = 0

    def opened(self) -> None:
        self._refusals_left = REFUSALS
        if self._live is not True:
            self._live = True
            self._tell(Link(live=True))

    def lost(self, why: wording.Text) -> None:
        if self._live is not False:
            self._live = False
            self._tell(Link(live=False, why=why))

    def may_be_mistaken(self) -> bool:
        """Whether a refusal is to be borne this time."""
        self._refusals_left -= 1
        return self._refusals_left >= 0


class _Watcher:
    """What is known of the objects so far."""

    def __init__(
        self,
        cluster: connections.Cluster,
        kind: kinds.Kind,
        namespace: str | None,
        label_selector: str | None,
        field_selector: str | None,
        *,
        present: Iterable[kinds.Object],
    ) -> None:
        self.version = ""
        self._cluster = cluster
        self._kind = kind
        self._namespace = namespace
        self._labels = label_selector
        self._fields = field_selector
        self._objects = {_key(item): item for item in present}

    async def relist(self) -> list[WatchEvent]:
        """All that has changed against what is known, from a full list; sets the version to go on from."""
        current: dict[tuple[str, str], kinds.Object] = {}
        version = ""
        async for page in reading.pages(
            self._cluster,
            self._kind,
            self._namespace,
            label_selector=self._labels,
            field_selector=self._fields,
        ):
            version = page.version
            current.update((_key(item), item) for item in page.objects)
        # These deletions happened between the version that was reached and this list; no event
        # tells of them.
        gone = [item for key, item in self._objects.items() if key not in current]
        changes = [WatchEvent("deleted", item) for item in gone]
        for item in gone:
            del self._objects[_key(item)]
        for item in current.values():
            changes += self._learn(item)
        self.version = version
        return changes

    async def follow(
        self, ends_after: float, stalled_after: float, link: _LinkReport
    ) -> AsyncGenerator[WatchEvent]:
        """What happens from the version on, until the server ends the request.

        Raises:
            hanbae.clusters.answers.Expired: The version is too old.
        """
        # At random, so that the watches of one deployment are not all renewed in the same moment.
        seconds = max(1, round(ends_after * random.uniform(0.8, 1.0)))  # noqa: S311 no secret
        params = reading.selectors(self._labels, self._fields) | {
            "watch": "true",
            # Bookmarks move the version on while nothing happens to these objects; without them it
            # would be too old to go on from once etcd has been compacted.
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(seconds),
        }
        call = self._cluster.describe("watch", self._kind, self._namespace)
        path = self._kind.path(self._namespace)
        idle = seconds + stalled_after
        async with self._cluster.stream(call, path, params=params, idle=idle) as chunks:
            link.opened()
            async for line, cut in framing.lines(chunks, longest=LONGEST_EVENT):
                if cut:
                    raise answers.too_large(LONGEST_EVENT, call)
                if line:
                    for change in self._take(answers.decoded(line, call), call):
                        yield change

    def _take(self, event: dict[str, Any], call: answers.Call) -> Iterator[WatchEvent]:
        item = foreign_json.below(event, "object")
        if event.get("type") == "ERROR":
            if "ResourceVersionTooLarge" in str(item.get("details")):
                self.version = ""  # etcd went back in time: a restored backup
            code = foreign_json.number(item.get("code"), HTTPStatus.INTERNAL_SERVER_ERROR)
            raise answers.failure(code, msgspec.json.encode(item), call)
        # For a BOOKMARK only the last line does anything: its object has a version and nothing
        # else.
        version = str(foreign_json.below(item, "metadata").get("resourceVersion") or "")
        happens = event.get("type") in ("ADDED", "MODIFIED", "DELETED")
        if happens and (lacking := object_shapes.fault(item, self._kind.kind)):
            raise answers.nonsense(call, lacking)
        if event.get("type") in ("ADDED", "MODIFIED"):
            yield from self._learn(self._kind.complete(item))
        elif event.get("type") == "DELETED":
            self._objects.pop(_key(item), None)
            yield WatchEvent("deleted", self._kind.complete(item))
        # Only now: who is cancelled between the two hears of it again rather than never.
        self.version = version or self.version

    def _learn(self, item: kinds.Object) -> Iterator[WatchEvent]:
        """What is new about an object: nothing, when this version of it was given before."""
        before = self._objects.get(_key(item))
        self._objects[_key(item)] = item
        if before is None:
            yield WatchEvent("added", item)
        # Another object of the same name; the deletion of the first one was not seen.
        elif before["metadata"].get("uid") != item["metadata"].get("uid"):
            yield WatchEvent("deleted", before)
            yield WatchEvent("added", item)
        elif _version(before) != _version(item):
            yield WatchEvent("changed", item)


def _version(item: kinds.Object) -> str:
    return item["metadata"].get("resourceVersion") or ""


def _key(item: kinds.Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace") or "", metadata["name"]
