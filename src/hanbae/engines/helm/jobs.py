"""Runs the hook Jobs of a release as Argo CD runs them, each once for a deployment."""

from __future__ import annotations

import asyncio
import copy
from typing import Final

from hanbae import errors, subjects
from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.engines import beforehand, describing, ownership, owning_releases
from hanbae.policy import labels
from hanbae.streams import backoffs

LOOK: Final = 0.3
"""Seconds between two looks at a Job that is about to go."""

_ATTEMPTS: Final = 8
_ENDED: Final = ("Complete", "Failed")
_LATER: Final = ("2", "3")
"""The runs beyond the first: a deployment has three phases."""


def marked(
    manifest: kinds.Object, *, namespace: str, release: str, key: str, run: int = 1
) -> kinds.Object:
    """A hook's Job as it is made: with the key by which it is known again, and the label by which it is watched.

    It is marked as the release's as well, which Helm leaves out for hooks: a chart's own label may name another one.

    Args:
        manifest: The hook as it is rendered.
        namespace: The release's namespace.
        release: The release.
        key: The key of the deployment's intent.
        run: Which run of this hook it is in the deployment, from 1: one of several phases runs once in each.
    """
    job = copy.deepcopy(manifest)
    metadata = job["metadata"]
    metadata["namespace"] = metadata.get("namespace") or namespace
    template = job["spec"]["template"].setdefault("metadata", {})
    for part in (metadata, template):
        part["labels"] = {
            ownership.INSTANCE: release,
            **(part.get("labels") or {}),
            labels.KEY: key,
            **({labels.RUN: str(run)} if run > 1 else {}),
        }
    owning_releases.own(job, release=release, namespace=namespace)
    return job


async def begin(cluster: connections.Cluster, job: kinds.Object) -> kinds.Object | None:
    """Make a Job, unless this deployment has made it already; an earlier one is let end, then taken away.

    Returns:
        The Job; None where a later run of it by this deployment is there, so that this one has ended well.

    Raises:
        hanbae.errors.Refused: The API server does not take it.
        hanbae.errors.Unreachable: Whether it was made is not known.
    """
    attempts = backoffs.Attempts(_ATTEMPTS)
    async for _ in attempts:
        present = await _make_way(cluster, job)
        if present is not None:
            return present if _run(present) == _run(job) else None
        try:
            return await writing.create(cluster, kinds.JOB, job)
        except answers.Unanswered as error:
            # Whether it has come to the API server, as when that restarts, the next look tells by the key. What the
            # server says of its own trouble, it would say again.
            if not error.was_lost:
                raise
            attempts.failed(error)
        except answers.Exists as error:
            # A creation that was lost may come late, after the look. The next look tells whose it is.
            attempts.failed(error)
    raise attempts.error


async def _make_way(cluster: connections.Cluster, job: kinds.Object) -> kinds.Object | None:
    """Let an earlier Job of this name end, and take it away.

    Returns:
        What is in the way rightly, and stays: this run or a later one, made by this deployment already. None where the
        name is free.
    """
    ref, key = kinds.ref(job), beforehand.key_of(job)
    while True:
        present = await reading.get(cluster, kinds.JOB, ref.namespace, ref.name)
        if present is None:
            return None
        ahead = _run(present) - _run(job) if beforehand.key_of(present) == key else -1
        if ahead > 0 or (ahead == 0 and not _is_going(present)):
            return present
        if state(present) in _ENDED and not _is_going(present):
            uid = present["metadata"].get("uid")
            await writing.delete(cluster, kinds.JOB, ref.namespace, ref.name, uid=uid)
        await asyncio.sleep(LOOK)  # a migration that runs is never ended for another one


async def end(cluster: connections.Cluster, ref: subjects.Ref, key: str) -> bool:
    """Take away a Job that this deployment has made and that has not ended.

    Returns:
        False where there is none.
    """
    present = await reading.get(cluster, kinds.JOB, ref.namespace, ref.name)
    if present is None or beforehand.key_of(present) != key or state(present) in _ENDED:
        return False
    uid = present["metadata"].get("uid")
    return await writing.delete(cluster, kinds.JOB, ref.namespace, ref.name, uid=uid)


def is_complete(job: kinds.Object, ref: subjects.Ref) -> bool:
    """Whether a hook has succeeded.

    Raises:
        hanbae.errors.Failed: It has failed.
    """
    observed = describing.observed(ref, job)
    if observed is not None and observed.state == "Failed":
        facts = {"job": str(ref), "message": observed.message or observed.reason or "-"}
        raise errors.Failed("upgrade.hook-failed", place=None, **facts)
    return observed is not None and observed.state == "Complete"


def state(job: kinds.Object) -> str:
    """The state of a Job, as :mod:`hanbae.engines.describing` says it."""
    observed = describing.observed(kinds.ref(job), job)
    return observed.state if observed is not None else ""


def _run(job: kinds.Object) -> int:
    """Which run of a hook a Job is of."""
    number = str((job["metadata"].get("labels") or {}).get(labels.RUN) or "")
    return int(number) if number in _LATER else 1


def _is_going(job: kinds.Object) -> bool:
    return "deletionTimestamp" in job["metadata"]
