"""Waits for goose where an earlier deployment has left it to take a database back: nobody watches it any more.

Its driver has lost its connection, its rights, or its life, and what goose writes is never broken off. So nothing else
may come to that database before the Job has ended, which it does by its own deadline at the latest.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from hanbae import errors, foreign_json, subjects, wording
from hanbae.argo import proof_rules
from hanbae.clusters import connections, kinds, reading
from hanbae.deploying import deadlines, proving, stopping
from hanbae.engines import beforehand
from hanbae.planning import proofs
from hanbae.policy import labels
from hanbae.results import plans

LOOK: Final = 1.0
"""Seconds between two looks."""
SLACK: Final = 30.0
"""Seconds beyond the longest deadline of such a Job in which it must have ended."""

_PROOFS: Final = f"{labels.COMPONENT}=proof,{labels.KEY}"
"""The label selector of the Jobs that hanbae makes of proofs; what takes a database back is one of these."""


async def until_ended(
    cluster: connections.Cluster,
    plan: plans.Plan,
    deployment: str,
    tell: Callable[[wording.Text], Awaitable[None]],
    *,
    limit: deadlines.Limit | None = None,
) -> None:
    """Wait until no other deployment takes a database of a plan back.

    Args:
        cluster: The workload cluster.
        plan: The plan.
        deployment: The plan's deployment, whose own Jobs are not waited for.
        tell: Told what is waited for, once.
        limit: The time that a person gives the deployment; None for as long as such a Job may take.

    Raises:
        hanbae.errors.Refused: It does not end, or not within the limit.
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us look.
    """
    databases = frozenset(_databases(plan))
    own = {proving.key(deployment, step.id) for step in plan.steps}
    ends = time.monotonic() + proof_rules.LONGEST + SLACK
    was_told = False
    while running := await _running(cluster, databases, own):
        jobs = _listed(running)
        if limit is not None and limit.left() <= 0:
            seconds = f"{limit.seconds:g}"
            facts = {"jobs": jobs, "seconds": seconds, "command": _looking(cluster, running)}
            raise errors.Refused("rollback.waited-goose", place=None, **facts)
        if time.monotonic() >= ends:
            facts = {"jobs": jobs, "command": _looking(cluster, running)}
            raise errors.Refused("rollback.goose-remains", place=None, **facts)
        if not was_told:
            longest = proof_rules.LONGEST
            within = longest if limit is None else min(longest, math.ceil(limit.left()))
            facts = {"jobs": jobs, "seconds": str(within)}
            await tell(wording.Text("rollback.awaits-goose", facts))
            was_told = True
        await asyncio.sleep(LOOK)


async def _running(
    cluster: connections.Cluster, databases: frozenset[tuple[str, str, str]], own: set[str]
) -> list[subjects.Ref]:
    """The Jobs that take one of these databases back and have not ended, but for those with these keys."""
    listed = [
        job
        for namespace in sorted({namespace for namespace, _, _ in databases})
        for job in await reading.find(cluster, kinds.JOB, namespace, label_selector=_PROOFS)
    ]
    return [
        kinds.ref(job)
        for job in listed
        if _container(job).get("name") == proofs.WAY_BACK
        and not databases.isdisjoint(_addresses(job))
        and beforehand.key_of(job) not in own
        and not stopping.is_over(job)
    ]


def _databases(plan: plans.Plan) -> Iterator[tuple[str, str, str]]:
    """The databases of a plan, each by the namespace, the Secret and the key that have its address."""
    for step in plan.steps:
        if isinstance(step.does, plans.Prove | plans.TakeBack):
            proof = step.does if isinstance(step.does, plans.Prove) else step.does.proof
            yield from _addresses(proof.job)


def _addresses(job: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    namespace = str(foreign_json.below(job, "metadata").get("namespace") or "")
    for variable in foreign_json.mappings(_container(job).get("env")):
        source = foreign_json.below(variable, "valueFrom", "secretKeyRef")
        if source:
            yield namespace, str(source.get("name")), str(source.get("key"))


def _container(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first container, which is the one that runs goose; empty where there is none."""
    listed = foreign_json.below(dict(job), "spec", "template", "spec").get("containers")
    return next(iter(foreign_json.mappings(listed)), {})


def _looking(cluster: connections.Cluster, jobs: list[subjects.Ref]) -> str:
    """The command that shows the Jobs with their pods; one for each namespace."""
    namespaces = dict.fromkeys(job.namespace for job in jobs)
    return " && ".join(cluster.kubectl("get", "jobs,pods", "-n", name) for name in namespaces)


def _listed(jobs: list[subjects.Ref]) -> str:
    return ", ".join(map(str, jobs))
