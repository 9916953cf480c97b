"""Waits before an operation is ended, where ending it would leave a database half migrated.

A migration in a transaction is taken back by PostgreSQL when its Job is killed; one that says ``NO TRANSACTION`` is
not.
The wait has an end: the Job's own deadline, or the policy's where it has none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, subjects, wording
from hanbae.argo import hooks
from hanbae.clusters import connections, kinds, logs, reading
from hanbae.migrations import statuses
from hanbae.results import plans

ENDS_WITHIN: Final = 90.0
"""Seconds in which the pods of a terminated operation must have ended; Kubernetes gives each 30 by default."""
LOOK: Final = 0.5
"""Seconds between two looks at a Job that is waited for."""
_JOB_NAME: Final = "batch.kubernetes.io/job-name"
"""The label by which the pods of a Job are found."""


class Bare(Struct, frozen=True):
    """A migration Job that may be in the middle of a migration without a transaction.

    Attributes:
        job: The Job.
        deadline: Seconds that it may run in all by its own deadline; None where it has none, or it cannot be seen.
    """

    job: subjects.Ref
    deadline: float | None = None


class Remaining(Struct, frozen=True):
    """A pod of a migration that has not ended.

    Attributes:
        ref: The pod.
        was_started: Whether a container of it has ever run; one that never did has written nothing.
    """

    ref: subjects.Ref
    was_started: bool


async def bare_running(
    cluster: connections.Cluster, plan: plans.Plan, *, before: Mapping[str, int] | None = None
) -> tuple[Bare, ...]:
    """The migration Jobs that may be in the middle of a migration without a transaction.

    Args:
        cluster: The workload cluster.
        plan: The deployment's plan.
        before: Database → version that was proven before the deployment; what is not newer does not run again.
    """
    running: list[Bare] = []
    for step in plan.steps:
        if isinstance(step.does, plans.Prove):
            version_before = (before or {}).get(step.does.database, 0)
            pending = [version for version in step.does.bare if version > version_before]
            running += await _running(cluster, step.does.hook, pending) if pending else ()
    return tuple(dict.fromkeys(running))


def waited_for(running: Iterable[Bare], *, deadline: float) -> wording.Text:
    """What is waited for before an operation is ended, and for how long at most.

    Args:
        running: The Jobs.
        deadline: Seconds for a Job that has no deadline of its own.
    """
    jobs = tuple(running)
    facts = {
        "jobs": ", ".join(str(entry.job) for entry in jobs),
        "seconds": str(round(_longest(jobs, deadline))),
    }
    return wording.Text("deploy.bare-running", facts)


def _longest(running: Iterable[Bare], deadline: float) -> float:
    return max(deadline if entry.deadline is None else entry.deadline for entry in running)


async def until_safe(
    cluster: connections.Cluster,
    plan: plans.Plan,
    *,
    deadline: float,
    before: Mapping[str, int] | None = None,
) -> None:
    """Wait until no such migration runs, at most as long as a Job may run.

    Args:
        cluster: The workload cluster.
        plan: The deployment's plan.
        deadline: Seconds after which a Job that has no deadline of its own is not waited for any longer.
        before: As for :func:`bare_running`.
    """
    try:
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(deadline) as limit:
            while running := await bare_running(cluster, plan, before=before):
                limit.reschedule(began + _longest(running, deadline))
                await asyncio.sleep(LOOK)  # a log tells nobody
    except TimeoutError:
        return


async def still_running(
    cluster: connections.Cluster, plan: plans.Plan, *, deleted: bool = False
) -> tuple[Remaining, ...]:
    """The pods of migrations that have not ended, though their operation may have.

    Args:
        cluster: The workload cluster.
        plan: The deployment's plan.
        deleted: Only those that are being deleted. Where the operation had ended before anybody told it to, others
            may be of the next operation, whose Jobs have the same names.
    """
    ending: list[Remaining] = []
    for job in dict.fromkeys(s.does.hook for s in plan.steps if isinstance(s.does, plans.Prove)):
        pods = await _pods(cluster, job)
        ending += [
            Remaining(
                subjects.Ref("Pod", job.namespace, pod["metadata"]["name"]), _was_started(pod)
            )
            for pod in pods
            if (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
            and (not deleted or "deletionTimestamp" in pod["metadata"])
        ]
    return tuple(ending)


async def until_ended(
    cluster: connections.Cluster, plan: plans.Plan, *, deleted: bool = False
) -> None:
    """Wait until no pod of a migration can write any more: a Job that is deleted gives its pods time.

    Args:
        cluster: The workload cluster.
        plan: The deployment's plan.
        deleted: As for :func:`still_running`.

    Raises:
        hanbae.errors.Unreachable: Some do not end.
    """
    running: tuple[Remaining, ...] = ()
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            while running := await still_running(cluster, plan, deleted=deleted):  # noqa: ASYNC110  as above
                await asyncio.sleep(LOOK)
    except TimeoutError:
        pods = ", ".join(str(pod.ref) for pod in running)
        raise errors.Unreachable("deploy.pods-remain", pods=pods) from None


async def log_lines(cluster: connections.Cluster, job: subjects.Ref) -> tuple[str, ...]:
    """What the containers of a migration Job have written, the oldest pod first, as far as it can still be read."""
    lines: list[str] = []
    with contextlib.suppress(errors.Error):
        pods = await _pods(cluster, job)
        for pod in sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or ""):
            name = pod["metadata"]["name"]
            for status in (pod.get("status") or {}).get("containerStatuses") or []:
                where = (job.namespace, name, status["name"])
                # What the run before the last restart has applied stays applied.
                tail = (
                    await logs.tail(cluster, *where, previous=True)
                    if status.get("restartCount")
                    else []
                )
                tail += await logs.tail(cluster, *where)
                lines += [line.text for line in tail]
    return tuple(lines)


def _was_started(pod: kinds.Object) -> bool:
    """Whether a container of the pod runs or has run, init containers included."""
    status = pod.get("status") or {}
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    return any(
        not {"running", "terminated"}.isdisjoint(container.get("state") or {})
        or bool(container.get("lastState"))
        for container in containers
    )


async def _running(
    cluster: connections.Cluster, hook: subjects.Ref, pending: Iterable[int]
) -> tuple[Bare, ...]:
    """The Jobs of a hook of which a container runs and has not told yet that it is past the pending versions.

    What cannot be seen is taken for running: it is the safe side.
    """
    newest = max(pending)
    try:
        return tuple(
            [
                Bare(kinds.ref(live), live["spec"].get("activeDeadlineSeconds"))
                for live in await _jobs(cluster, hook)
                if not is_over(live) and await _is_before(cluster, live, newest)
            ]
        )
    except errors.Forbidden:
        return (Bare(hook),)


async def _is_before(cluster: connections.Cluster, job: kinds.Object, version: int) -> bool:
    """Whether a container of a Job runs and has not told yet that it has applied a version."""
    # By uid: pods of an earlier Job with this name say nothing about this one.
    selector = f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}"
    namespace = job["metadata"]["namespace"]
    for pod in await reading.find(cluster, kinds.POD, namespace, label_selector=selector):
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            if "running" not in (status.get("state") or {}):
                continue
            name = pod["metadata"]["name"]
            lines = await logs.tail(cluster, namespace, name, status["name"])
            applied = [number for line in lines if (number := statuses.applied(line.text))]
            if version > max(applied, default=0):
                return True
    return False


async def _jobs(cluster: connections.Cluster, hook: subjects.Ref) -> list[kinds.Object]:
    """The Jobs of a hook: one, or several where Kubernetes completes its name."""
    if not hooks.is_generated(hook):
        job = await reading.get(cluster, kinds.JOB, hook.namespace, hook.name)
        return [] if job is None else [job]
    listed = await reading.find(cluster, kinds.JOB, hook.namespace)
    return [job for job in listed if hooks.is_same(hook, kinds.ref(job))]


async def _pods(cluster: connections.Cluster, hook: subjects.Ref) -> list[kinds.Object]:
    """The pods of a hook's Jobs, by their names: a Job may be deleted while its pods are still ending."""
    if not hooks.is_generated(hook):
        selector = f"{_JOB_NAME}={hook.name}"
        return await reading.find(cluster, kinds.POD, hook.namespace, label_selector=selector)
    listed = await reading.find(cluster, kinds.POD, hook.namespace, label_selector=_JOB_NAME)
    return [pod for pod in listed if hooks.is_same(hook, _job_of(pod))]


def _job_of(pod: kinds.Object) -> subjects.Ref:
    metadata = pod["metadata"]
    return subjects.Ref("Job", metadata["namespace"], metadata["labels"][_JOB_NAME])


def is_over(job: kinds.Object) -> bool:
    """Whether a Job has come to its end, a good or a bad one."""
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(
        condition.get("type") in {"Complete", "Failed"} and condition.get("status") == "True"
        for condition in conditions
    )
