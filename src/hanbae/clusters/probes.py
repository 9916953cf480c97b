"""Short Jobs that look at something from inside the cluster and are gone afterwards.

The proof of a migration needs the database, and the database answers only inside.
A probe is as little as a pod can be: no service-account token, the restricted pod-security profile, one attempt, a
deadline, another pod in place of one that was evicted, a time to live for the case that hanbae dies before it has
cleaned up.
Its key makes it idempotent: who comes again with the same key finds the Job and its result instead of starting another.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import math
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from hanbae import errors
from hanbae.clusters import answers, awaiting, connections, kinds, reading, watching, writing
from hanbae.policy import labels
from hanbae.streams import backoffs

Ended = awaiting.Ended

_LOG: Final = logging.getLogger(__name__)

GRACE: Final = 10.0
"""Seconds for which something may keep the pod from starting: a pull secret or a quota can be a moment late."""
TTL: Final = 300
"""Seconds until Kubernetes deletes the Job if we cannot."""
SLACK: Final = 15.0
"""Seconds beyond the Job's deadline in which its end must become known."""
TERMINATION: Final = 2
"""Seconds between being asked to end and being killed; a Job past its deadline counts as over only after that."""
CLEANUP: Final = 10.0
"""Seconds that the deletion may take."""
_ATTEMPTS: Final = 8
_DISRUPTED: Final = {
    "rules": [
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        }
    ]
}
"""A pod that was evicted, or whose node was drained, has failed at nothing: another one is made."""
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi"},
}


def _nobody() -> None:
    """Tell nobody."""


async def run_to_end(
    cluster: connections.Cluster,
    job: kinds.Object,
    *,
    deadline: float,
    grace: float = GRACE,
    stays: bool = False,
    begins: Callable[[], None] = _nobody,
) -> Ended:
    """Run a Job, read its log completely, delete it.

    Args:
        cluster: The workload cluster.
        job: The Job, with the label `KEY` and one container; see :func:`hardened` for what is filled in.
        deadline: Seconds that it may run; becomes its ``activeDeadlineSeconds``.
        grace: Seconds for which something may keep its pod from starting.
        stays: It writes, so whoever leaves, or loses sight of it, lets it go on; who comes again with the same key
            finds it.
        begins: Told as soon as there may be such a Job: it was made, it was there, or the answer was lost. What is
            raised before that says that nothing runs.

    Raises:
        hanbae.errors.Failed: Its pod cannot start, or nothing was heard of its end in time; a former Job of this key
            is being deleted and does not go.
        hanbae.errors.Refused: Admission does not allow it, or a Job of this name has another key.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    making = asyncio.create_task(_create(cluster, hardened(job, deadline=deadline), begins))
    try:
        # A creation that is cancelled on the wire may be carried out all the same; see `_withdraw`.
        created = await asyncio.shield(making)
    except asyncio.CancelledError:
        if stays:
            # It may write by now: its creation is let come to its end, and the Job goes on.
            await asyncio.wait({making}, timeout=CLEANUP)
            if not making.done():
                begins()
        else:
            await _withdraw(cluster, making)
        raise
    probe = awaiting.Waiter(cluster, created, cuts=stays)
    is_over = not stays
    try:
        async with asyncio.timeout(deadline + SLACK) as timer:
            ended = await probe.end(grace)
            is_over = True
            return ended
    except awaiting.CannotStart:
        # Nothing of it runs, so nothing is broken off.
        is_over = True
        raise
    except TimeoutError:
        if not timer.expired():
            raise
        # The Job is over by its own deadline.
        is_over = True
        why = ": ".join(part for part in probe.trouble or ("", "") if part) or "-"
        raise errors.Failed(
            "probe.deadline", job=str(kinds.ref(created)), seconds=str(round(deadline)), why=why
        ) from None
    finally:
        # What goes wrong here, such as a connection, ends nothing there: it would be killed in the middle of a write.
        if is_over:
            await _remove(cluster, created)


async def let_in(cluster: connections.Cluster, job: kinds.Object, *, deadline: float) -> None:
    """Ask whether a Job would be taken, and make none; the arguments are those of :func:`run_to_end`.

    Raises:
        hanbae.errors.Refused: Admission does not allow it.
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us.
    """
    await writing.create(cluster, kinds.JOB, hardened(job, deadline=deadline), dry=True)


def hardened(job: kinds.Object, *, deadline: float) -> kinds.Object:
    """The Job with everything that a probe must have; what it says itself stays, except for the token.

    Raises:
        ValueError: It has no label `KEY`.
    """
    result = kinds.JOB.complete(copy.deepcopy(job))
    key = (result["metadata"].get("labels") or {}).get(labels.KEY)
    if not key:
        raise ValueError(f"a probe has the label {labels.KEY}")
    spec = result["spec"]
    spec.setdefault("backoffLimit", 0)
    spec.setdefault("activeDeadlineSeconds", math.ceil(deadline))
    spec.setdefault("ttlSecondsAfterFinished", TTL)
    spec.setdefault("podFailurePolicy", copy.deepcopy(_DISRUPTED))
    spec["template"].setdefault("metadata", {}).setdefault("labels", {}).setdefault(labels.KEY, key)
    pod = spec["template"]["spec"]
    pod["automountServiceAccountToken"] = False
    # Else every Service of the namespace adds variables to the environment.
    pod.setdefault("enableServiceLinks", False)
    # A podFailurePolicy is allowed with no other.
    pod.setdefault("restartPolicy", "Never")
    pod.setdefault("terminationGracePeriodSeconds", TERMINATION)
    security = pod.setdefault("securityContext", {})
    security.setdefault("runAsNonRoot", True)
    security.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    for container in pod["containers"]:
        container.setdefault("resources", copy.deepcopy(_RESOURCES))
        own = container.setdefault("securityContext", {})
        own.setdefault("allowPrivilegeEscalation", False)
        own.setdefault("readOnlyRootFilesystem", True)
        own.setdefault("capabilities", {"drop": ["ALL"]})
    return result


async def _create(
    cluster: connections.Cluster, job: kinds.Object, begins: Callable[[], None]
) -> kinds.Object:
    """Create the Job, or find the one that was created with this key; say when there may be one."""
    metadata = job["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    attempts = backoffs.Attempts(_ATTEMPTS)
    async for _ in attempts:
        try:
            created = await writing.create(cluster, kinds.JOB, job)
        except (answers.Exists, answers.Unanswered) as error:
            if isinstance(error, answers.Unanswered):
                begins()
            stored = await reading.get(cluster, kinds.JOB, namespace, name)
            if stored is None:
                # What the server says of its own trouble, such as a webhook that is silent, it would say again. Where
                # the connection broke, as when it restarts, the creation may never have come to it.
                if isinstance(error, answers.Unanswered) and not error.was_lost:
                    raise
                attempts.failed(error)
                continue
            if (stored["metadata"].get("labels") or {}).get(labels.KEY) != metadata["labels"][
                labels.KEY
            ]:
                raise errors.Refused("probe.foreign-job", job=str(kinds.ref(stored))) from None
            begins()
            # One that is being deleted gives no result any more: it is waited for, and made again.
            if not stored["metadata"].get("deletionTimestamp"):
                return stored
            attempts.failed(error, pause=0)
            await _gone(cluster, stored)
        else:
            begins()
            return created
    raise attempts.error


async def _gone(cluster: connections.Cluster, job: kinds.Object) -> None:
    """Wait until a Job that is being deleted is gone.

    Raises:
        hanbae.errors.Failed: It is still there, such as for a pod on a node that has died.
    """
    metadata = job["metadata"]
    selector = f"metadata.name={metadata['name']}"
    # It may go before the watch begins.
    stream = watching.watch(
        cluster, kinds.JOB, metadata["namespace"], field_selector=selector, present=[job]
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SLACK), aclosing(stream):
            async for change in stream:
                if change.type == "deleted":
                    return
    if await _is_there(cluster, job):
        facts = {"job": str(kinds.ref(job)), "seconds": str(round(SLACK)), "why": "Terminating"}
        raise errors.Failed("probe.deadline", place=None, **facts)


async def _is_there(cluster: connections.Cluster, job: kinds.Object) -> bool:
    metadata = job["metadata"]
    stored = await reading.get(cluster, kinds.JOB, metadata["namespace"], metadata["name"])
    return stored is not None and stored["metadata"].get("uid") == metadata.get("uid")


async def _withdraw(cluster: connections.Cluster, making: asyncio.Task[kinds.Object]) -> None:
    """Delete what a creation makes that nobody waits for any more.

    It is let come to its end: broken off on the wire, the API server may still carry it out, and then nobody would know
    the Job's uid.
    """
    try:
        async with asyncio.timeout(CLEANUP):
            created = await making
        await _remove(cluster, created)
    except Exception:  # noqa: BLE001  whatever goes wrong here, the caller hears that it was cancelled
        _LOG.debug("a probe was not withdrawn", exc_info=True)


async def _remove(cluster: connections.Cluster, job: kinds.Object) -> None:
    """Delete the Job; if that fails its time to live does it."""
    metadata = job["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    try:
        async with asyncio.timeout(CLEANUP):
            await writing.delete(cluster, kinds.JOB, namespace, name, uid=metadata["uid"])
    except (errors.Error, TimeoutError):
        return
