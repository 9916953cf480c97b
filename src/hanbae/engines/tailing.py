"""Reads the logs that matter: those of hooks as they are written, those of failing pods once they have failed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from hanbae import errors, subjects, wording
from hanbae.clusters import connections, logs
from hanbae.engines import clipping, protocol, secrets
from hanbae.results import events
from hanbae.streams import channels

TAIL: Final = 15
"""Lines that are read of an ordinary container that has failed."""
RESTARTS: Final = 3
"""Failed runs of one container whose last lines are read; after that they say nothing new."""


class Logs:
    """Puts log lines into the stream, each container's once.

    Args:
        cluster: The workload cluster.
        keeper: Knows the values that must not be seen; read again before the first line of each container, because
            the Secret may have come a moment before the container.
        channel: Where the lines go.
    """

    def __init__(
        self,
        cluster: connections.Cluster,
        keeper: secrets.Keeper,
        channel: channels.Channel[protocol.EngineEvent],
    ) -> None:
        self._cluster = cluster
        self._keeper = keeper
        self._channel = channel
        self._begun: set[tuple[str, str, int]] = set()
        self._hooks: set[asyncio.Task[None]] = set()
        self._forbidden = False

    def read(
        self, group: asyncio.TaskGroup, ref: subjects.Ref, pod: Mapping[str, Any], *, whole: bool
    ) -> None:
        """Begin to read what is worth reading of a pod's containers and was not begun.

        Args:
            group: Owns the reading.
            ref: The pod.
            pod: The same, as it is now.
            whole: Follow every run of every container from its first line: the pod is a hook's. A Job whose containers
                are restarted in their pod may fail in one run and migrate in the next.
        """
        status = pod.get("status") or {}
        # By uid: pods of a StatefulSet come back under the same names.
        uid = pod["metadata"].get("uid") or ref.name
        for sort in ("initContainerStatuses", "containerStatuses"):
            for container in status.get(sort) or []:
                state = container.get("state") or {}
                restarts = int(container.get("restartCount") or 0)
                began = "running" in state or "terminated" in state
                if whole and began and self._first(uid, container["name"], restarts):
                    run_id = container.get("containerID") or ""
                    task = group.create_task(self._follow(ref, container["name"], run_id))
                    self._hooks.add(task)
                    task.add_done_callback(self._hooks.discard)
                elif not whole and _has_failed(container):
                    # The run that has just ended is the present one until the next begins.
                    previous = "terminated" not in state
                    run = restarts - 1 if previous else restarts
                    if run < RESTARTS and self._first(uid, container["name"], run):
                        group.create_task(self._tail(ref, container["name"], previous=previous))
                elif not whole and _is_unready(container) and self._unhealthy(uid, container):
                    group.create_task(self._tail(ref, container["name"], previous=False))

    def unhealthy(self, uid: str) -> None:
        """A probe of a container in this pod fails: its last lines are worth reading."""
        # Stored as run -1, which no container has; `read` looks it up.
        self._begun.add((uid, "", -1))

    async def drained(self, *, limit: float) -> None:
        """Wait until the logs of hooks were read to their ends, for that many seconds at most."""
        if self._hooks:
            # `asyncio.wait` cancels nothing: what has not ended by then goes on.
            await asyncio.wait(set(self._hooks), timeout=limit)

    def _first(self, uid: str, container: str, run: int) -> bool:
        key = (uid, container, run)
        if key in self._begun:
            return False
        self._begun.add(key)
        return True

    def _unhealthy(self, uid: str, container: Mapping[str, Any]) -> bool:
        return (uid, "", -1) in self._begun and self._first(uid, container["name"], -1)

    async def _follow(self, pod: subjects.Ref, container: str, run: str) -> None:
        await self._keeper.refresh()
        clip = clipping.Clip()
        stream = logs.follow(self._cluster, pod.namespace, pod.name, container, run=run)
        try:
            async with aclosing(stream):
                async for line in stream:
                    if line.gap:
                        facts = {"pod": pod.name, "container": container}
                        await self._channel.put(events.Noted(wording.Text("deploy.log-gap", facts)))
                    elif clip.take(line.text):
                        await self._put(pod, container, line.text)
        except errors.Forbidden as error:
            await self._cannot(error)
        if clip.cut:
            facts = {"pod": pod.name, "container": container, "lines": str(clip.cut)}
            await self._channel.put(events.Noted(wording.Text("deploy.log-cut", facts)))
        for text in clip.end():
            await self._put(pod, container, text)

    async def _tail(self, pod: subjects.Ref, container: str, *, previous: bool) -> None:
        await self._keeper.refresh()
        try:
            lines = await logs.tail(
                self._cluster, pod.namespace, pod.name, container, lines=TAIL, previous=previous
            )
        except errors.Forbidden as error:
            await self._cannot(error)
            return
        except errors.Unreachable:
            # These lines only explain a failure; the deployment does not depend on them.
            return
        for line in lines:
            await self._put(pod, container, line.text)

    async def _put(self, pod: subjects.Ref, container: str, text: str) -> None:
        await self._channel.put(events.Logged(pod, container, self._keeper.redact(text)))

    async def _cannot(self, error: errors.Forbidden) -> None:
        if not self._forbidden:
            self._forbidden = True
            facts = {"kind": "Log"}
            await self._channel.put(events.Noted(wording.Text("deploy.cannot-watch", facts)))
            await self._channel.put(events.Noted(error.text))


def _has_failed(container: Mapping[str, Any]) -> bool:
    """Whether the container has failed and not recovered: in its present run, or in the one before."""
    state = container.get("state") or {}
    if (state.get("terminated") or {}).get("exitCode"):
        return True
    before = (container.get("lastState") or {}).get("terminated") or {}
    return bool(before.get("exitCode")) and not container.get("ready")


def _is_unready(container: Mapping[str, Any]) -> bool:
    return "running" in (container.get("state") or {}) and not container.get("ready")
