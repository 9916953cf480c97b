"""What containers write, every line once, through broken connections and restarts of the API server.

Where lines cannot be had any more, that is said in their place (:attr:`Line.gap`).

A migration's log is evidence: its pod may be gone a second after it has ended, so it is read while it is written, and
a connection that breaks must neither lose a line nor show one twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from hanbae import errors
from hanbae.clusters import answers, connections, kinds, reading, rereading, watching
from hanbae.streams import backoffs

Line = rereading.Line

MOST: Final = 1024 * 1024
"""Bytes that :func:`tail` reads."""
SILENCE: Final = 30.0
"""Seconds without a line until the connection is made anew; a quiet container and a dead connection look alike."""
LAST_TRIES: Final = 5
"""Failed readings after the end until the log counts as gone."""


async def follow(
    cluster: connections.Cluster,
    namespace: str,
    pod: str,
    container: str,
    *,
    run: str = "",
    silence: float = SILENCE,
    backoff: backoffs.Backoff | None = None,
) -> AsyncGenerator[Line]:
    """The log of a container, from its beginning until it has terminated or its pod is gone.

    Waits for the container to start. Follows one run of the container: a restarted one is another.
    It holds no task: cancel the task that iterates, or wrap it in :func:`contextlib.aclosing` to break off.

    Args:
        cluster: The cluster.
        namespace: The pod's namespace.
        pod: The pod.
        container: One of its containers, of whatever sort.
        run: The id of the run that is followed, as the pod's status has it; empty for the latest one.
        silence: Seconds without a line after which the connection is made anew.
        backoff: The pauses between attempts.

    Raises:
        hanbae.errors.Forbidden: The identity may not read the pod or its log.
    """
    latest = await _started(cluster, namespace, pod, container)
    if latest is None:
        return
    reader = rereading.Reader(cluster, namespace, pod, container)
    follower = _Follower(reader, run or latest, backoff or backoffs.Backoff())
    # It was restarted since its status was read: what is followed is the run before, or gone.
    if run not in {"", latest} and not await follower.goes_on(None):
        return
    missing = False
    while True:
        try:
            async with aclosing(reader.read(silence, follow=not follower.ended)) as stream:
                async for line in stream:
                    yield line
        except (errors.Unreachable, errors.Refused) as error:
            broken: errors.Error | None = error
        else:
            broken = None
        # After a break lines may be missing until a reading begins where the one before it ended;
        # if none does, the gap is told at the end.
        missing = broken is not None or (missing and not reader.joined)
        if not await follower.goes_on(broken):
            if missing and reader.begun:
                yield rereading.GAP
            return


async def tail(
    cluster: connections.Cluster,
    namespace: str,
    pod: str,
    container: str,
    *,
    lines: int | None = None,
    previous: bool = False,
    since: str = "",
) -> list[Line]:
    """The last lines of a container's log; none when it has not started or its pod is gone.

    Args:
        cluster: The cluster.
        namespace: The pod's namespace.
        pod: The pod.
        container: One of its containers.
        lines: How many; None for all, up to `MOST` bytes.
        previous: Those of the run before the last restart.
        since: From when on, in RFC 3339 and whole seconds; empty for the container's beginning.

    Raises:
        hanbae.errors.Forbidden: The identity may not read the log.
        hanbae.errors.Unreachable: The cluster or the node did not answer.
    """
    reader = rereading.Reader(cluster, namespace, pod, container, since=since)
    reader.previous = previous
    try:
        return [line async for line in reader.read(SILENCE, follow=False, lines=lines, most=MOST)]
    # With 400 the kubelet says that the container has not started, or has no run before this one.
    except (answers.Missing, answers.Invalid):
        return []


class _State(Struct, frozen=True):
    """A container's state: the id of its latest run, whether that runs, and the run before."""

    run: str
    running: bool
    before: str


class _Follower:
    """Decides after each reading whether there can be more.

    Args:
        reader: What reads.
        run: The container's run that is followed.
        backoff: The pauses between readings.
    """

    def __init__(self, reader: rereading.Reader, run: str, backoff: backoffs.Backoff) -> None:
        self.ended = False
        self._tries = LAST_TRIES
        self._reader = reader
        self._run = run
        self._backoff = backoff

    async def goes_on(self, broken: errors.Error | None) -> bool:
        """Whether to read again; once more after the end, for a connection may close before the last line comes.

        Args:
            broken: Why the reading ended, if not by itself. Among the refusals that pass is "is waiting to start": the
                kubelet may know less than the API server.
        """
        if isinstance(broken, errors.Forbidden):
            raise broken
        if isinstance(broken, answers.Missing) or (self.ended and broken is None):
            return False
        if self._reader.alive:
            self._backoff.reset()
        state = await self._state()
        if state is None or self._run not in {state.run, state.before}:
            return False
        # Where the container was restarted, its run before can still be read; an earlier one
        # cannot.
        self._reader.previous = state.run != self._run
        self.ended = self._reader.previous or not state.running
        if self.ended and broken is not None:
            self._tries -= 1
        if broken is not None or not self.ended:
            await self._backoff.pause()
        return self._tries > 0

    async def _state(self) -> _State | None:
        """The container's state now, however long the API server takes to answer; None when its pod is gone."""
        reader = self._reader
        while True:
            try:
                pod = await reading.get(
                    reader.cluster, kinds.POD, reader.call.namespace, reader.call.name
                )
            except errors.Unreachable as error:
                if isinstance(error, errors.Forbidden):
                    raise
                await self._backoff.pause()
            else:
                return None if pod is None else _status(pod, reader.container)


async def _started(
    cluster: connections.Cluster, namespace: str, pod: str, container: str
) -> str | None:
    """Wait until the container runs or has run; the run's id, or None when that will never be."""
    selector = f"metadata.name={pod}"
    manifest = await reading.get(cluster, kinds.POD, namespace, pod)
    if manifest is None:
        return None
    if container not in _containers(manifest):
        raise errors.WrongUse(
            "cluster.no-such-container",
            pod=f"{namespace}/{pod}",
            container=container,
            containers=", ".join(_containers(manifest)),
        )
    if _is_settled(manifest, container):
        return _run(manifest, container)
    # The pod was there: where it is gone before the watch begins, that is told as well.
    stream = watching.watch(
        cluster, kinds.POD, namespace, field_selector=selector, present=[manifest]
    )
    async with aclosing(stream):
        async for change in stream:
            if change.type == "deleted":
                return None
            if _is_settled(change.object, container):
                return _run(change.object, container)
    return None


def _is_settled(pod: kinds.Object, container: str) -> bool:
    """Whether a container has begun to run, or never will."""
    # A pod ends without a run of this container when it is evicted before the image is there.
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return ended or _run(pod, container) is not None


def _run(pod: kinds.Object, container: str) -> str | None:
    """The id of a container's latest run; None where it has none."""
    state = _status(pod, container)
    return (state.run or None) if state is not None else None


def _containers(pod: kinds.Object) -> list[str]:
    spec = pod.get("spec") or {}
    sorts = ("containers", "initContainers", "ephemeralContainers")
    return [entry["name"] for sort in sorts for entry in spec.get(sort) or []]


def _status(pod: kinds.Object, container: str) -> _State | None:
    status = pod.get("status") or {}
    sorts = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    entries = [entry for sort in sorts for entry in status.get(sort) or []]
    for entry in entries:
        if entry["name"] != container:
            continue
        state = entry.get("state") or {}
        before = ((entry.get("lastState") or {}).get("terminated") or {}).get("containerID", "")
        # It waits to start, or to start again: its latest run is then the one that has ended, if
        # there was one.
        if not state or "waiting" in state:
            return _State(before, running=False, before="")
        terminated = state.get("terminated") or {}
        run = entry.get("containerID") or terminated.get("containerID", "")
        return _State(run, "running" in state, before)
    return None
