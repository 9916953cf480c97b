"""Waits for the end of one Job, and reads its log completely while its pod is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

from msgspec import Struct

from hanbae import errors
from hanbae.clusters import answers, connections, kinds, logs, reading, watching
from hanbae.streams import merging

MOST_LINES: Final = 20_000
"""Lines of a log that is still taken for a probe's."""

# A container that waits for one of these does not start unless somebody changes something.
_CANNOT_START: Final = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


class CannotStart(errors.Failed):
    """A pod waits for something which nobody brings, so that nothing of it runs."""


class Ended(Struct, frozen=True):
    """How a probe ended.

    Attributes:
        succeeded: Whether its first container ended with 0.
        log: Everything that this one wrote, line by line; not masked.
        reason: The cluster's reason for a failure, such as ``OOMKilled`` or ``DeadlineExceeded``.
        message: The cluster's sentence, masked and bounded.
        exit_code: The container's, if it ran to an end.
        others: Name → what the other containers wrote, however they ended.
    """

    succeeded: bool
    log: list[str]
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    others: Mapping[str, list[str]] = {}


class Waiter:
    """What was seen of one Job.

    Args:
        cluster: The workload cluster.
        job: The Job, as it was created.
        cuts: Of a log that is longer than a probe's its end is kept; else it is an error.

    Attributes:
        trouble: Reason and message of what keeps its pod from starting, if anything does.
    """

    def __init__(
        self, cluster: connections.Cluster, job: kinds.Object, *, cuts: bool = False
    ) -> None:
        self._cuts = cuts
        self.trouble: tuple[str, str] | None = None
        self._since = 0.0
        self._cluster = cluster
        self._job = job
        # By uid: pods of an earlier Job of the same name may still be there.
        self._selector = f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}"
        containers = job["spec"]["template"]["spec"]["containers"]
        self._container, *others = (container["name"] for container in containers)
        self._pods: dict[str, kinds.Object] = {}
        self._looked = False
        self._reading = 0
        self._logs: dict[str, list[str]] = {name: [] for name in (self._container, *others)}
        self._last = ""
        self._merged: merging.Merged[Any]

    async def end(self, grace: float) -> Ended:
        """Watch until the Job has ended and its log is complete."""
        cluster, metadata = self._cluster, self._job["metadata"]
        namespace, itself = metadata["namespace"], f"metadata.name={metadata['name']}"
        clock = asyncio.get_running_loop().time
        async with merging.merge() as self._merged:
            add = self._merged.add
            add("pod", watching.watch(cluster, kinds.POD, namespace, label_selector=self._selector))
            jobs = watching.watch(
                cluster,
                kinds.JOB,
                namespace,
                field_selector=itself,
                present=[self._job],  # it may go before the watch begins
            )
            add("job", jobs)
            add("event", _events(cluster, self._job))
            while not self._finished or self._reading or await self._unread():
                # Only trouble is limited here. How long the Job may run is limited by its own
                # deadline and by the caller.
                remaining = None if self.trouble is None else self._since + grace - clock()
                item = await self._merged.next(within=remaining)
                if item is not None:
                    self._take(*item)
                elif self.trouble is not None:
                    reason, message = self.trouble
                    job = str(kinds.ref(self._job))
                    raise CannotStart("probe.cannot-start", job=job, reason=reason, message=message)
        return self._ended()

    @property
    def _finished(self) -> kinds.Object | None:
        """The condition that says that the Job is over."""
        for condition in (self._job.get("status") or {}).get("conditions") or []:
            if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
                return dict(condition)
        return None

    async def _unread(self) -> bool:
        """Look for pods once more if no end of one was seen though the Job is over: the watches are not in step."""
        # With one container the Job's condition says how it ended; with several, the state of the
        # first one does (see `_ended`), and it may not have been seen yet.
        if self._pods and (self._looked or len(self._logs) == 1 or self._terminated):
            return False
        self._looked = True
        namespace = self._job["metadata"]["namespace"]
        for pod in await reading.find(
            self._cluster, kinds.POD, namespace, label_selector=self._selector
        ):
            self._meet(pod)
        return bool(self._reading)

    @property
    def _terminated(self) -> kinds.Object:
        """How the first container has ended, of the last pod that has; empty where that was not seen."""
        states = (_terminated(pod, self._container) for pod in reversed(self._by_age))
        return next(filter(None, states), {})

    @property
    def _by_age(self) -> list[kinds.Object]:
        """The pods, the oldest first: a list gives them by name."""
        pods = self._pods.values()
        return sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")

    def _take(self, name: str, item: Any) -> None:
        if name == "log":
            pod, container, lines = item
            # No lines mean that this log is complete; see `_lines`.
            self._reading -= not lines
            if pod != self._last:
                # It was evicted in the middle of what it had to say; another pod says it all.
                return
            self._logs[container] += lines
            if self._cuts:
                del self._logs[container][:-MOST_LINES]
            if len(self._logs[container]) > MOST_LINES:
                job = str(kinds.ref(self._job))
                raise errors.Failed("probe.log-too-long", job=job, lines=str(MOST_LINES))
        elif name == "event":
            event = item.object
            # The event outlives its cause: once there is a pod, creating one is no trouble any
            # more.
            if event.get("reason") == "FailedCreate" and not self._pods:
                self._suffer(("FailedCreate", answers.bounded(event.get("message", ""))))
        # A pod that is deleted stays among those that were seen: its last state says how it ended.
        elif name == "pod" and item.type != "deleted":
            self._meet(item.object)
        elif name == "job" and item.type == "deleted":
            raise errors.Failed("probe.gone", job=str(kinds.ref(self._job)))
        elif name == "job":
            self._job = item.object

    def _meet(self, pod: kinds.Object) -> None:
        name = pod["metadata"]["name"]
        is_new = name not in self._pods
        self._pods[name] = pod
        if is_new and self._by_age[-1] is pod:
            self._last = name
            # A Job of one attempt makes another pod only in place of one that was evicted: it
            # begins anew, and what the former one has written does not count.
            for container, lines in self._logs.items():
                lines.clear()
                self._reading += 1
                self._merged.add("log", self._lines(name, container))
        if name == self._last:
            self._suffer(_trouble(pod))

    def _suffer(self, trouble: tuple[str, str] | None) -> None:
        # ErrImagePull and ImagePullBackOff take turns: a trouble that changes its name has begun
        # with the first one.
        if trouble is None or self.trouble is None:
            self._since = asyncio.get_running_loop().time()
        self.trouble = trouble

    async def _lines(self, pod: str, container: str) -> AsyncGenerator[tuple[str, str, list[str]]]:
        """A container's log, with the names of its pod and of itself; an empty list says that it is complete."""
        namespace = self._job["metadata"]["namespace"]
        stream = logs.follow(self._cluster, namespace, pod, container)
        async with aclosing(stream):
            async for line in stream:
                if not line.gap:
                    yield pod, container, [line.text]
        yield pod, container, []

    def _ended(self) -> Ended:
        condition, terminated = self._finished or {}, self._terminated
        log = self._logs[self._container]
        others = {name: lines for name, lines in self._logs.items() if name != self._container}
        # The other container may be meant to fail: goose tells of drift by an error (ADR 19). The
        # Job has failed then, although what was asked of the first container has succeeded.
        if condition.get("type") == "Complete" or (others and terminated.get("exitCode") == 0):
            return Ended(succeeded=True, log=log, exit_code=0, others=others)
        reason, message = condition.get("reason", ""), condition.get("message", "")
        if terminated and reason != "DeadlineExceeded":
            # The container's own reason; the Job's is only that it does not try again. After a
            # deadline it is the other way round: the container was killed because of it.
            reason, message = terminated.get("reason", reason), terminated.get("message", "")
        return Ended(
            succeeded=False,
            log=log,
            reason=reason,
            message=answers.bounded(message),
            exit_code=terminated.get("exitCode"),
            others=others,
        )


async def _events(
    cluster: connections.Cluster, job: kinds.Object
) -> AsyncGenerator[watching.WatchEvent]:
    """What the cluster says about the Job; nothing when we may not hear it, for it only explains."""
    selector = f"involvedObject.uid={job['metadata']['uid']}"
    stream = watching.watch(
        cluster, kinds.EVENT, job["metadata"]["namespace"], field_selector=selector
    )
    try:
        async with aclosing(stream):
            async for change in stream:
                yield change
    except errors.Forbidden:
        return


def _terminated(pod: kinds.Object, container: str) -> kinds.Object | None:
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status.get("name") == container:
            state: kinds.Object | None = (status.get("state") or {}).get("terminated")
            return state
    return None


def _trouble(pod: kinds.Object) -> tuple[str, str] | None:
    """Why the pod's container does not start, if it does not by itself."""
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _CANNOT_START:
            return waiting["reason"], answers.bounded(waiting.get("message", ""))
    return None
