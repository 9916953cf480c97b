"""What is known of an application from before: which migrations were proven, and how long a deployment takes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.deploying import claiming
from hanbae.planning import deployments
from hanbae.repository import revisions
from hanbae.results import deployments as recorded
from hanbae.results import events, plans, previews


class State(Struct, frozen=True):
    """What is known.

    Attributes:
        proven: Database → the version that it was proven to have last, and that nothing has touched since as far as
            anybody knows.
        seconds: What the last successful deployment took from the start of its operation, or None.
        why_unknown: Why `proven` is empty: ``new`` where hanbae has not deployed the application before, ``failed``
            where its last deployment did not succeed; empty where it is not.
        drift: Database → what it said of itself then that is not as a deployment leaves it.
    """

    proven: Mapping[str, int]
    seconds: float | None = None
    why_unknown: previews.WhyUnknown = ""
    drift: Mapping[str, tuple[wording.Text, ...]] = {}


async def read(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> State:
    """What the history of this machine and the application's Lease know; the Lease is everybody's, so it decides.

    Where its last deployment did not succeed, a migration may or may not have run, and nothing is said.
    """
    listed = space.store.deployments(service=service, environment=environment)
    succeeded = [deployment for deployment in listed if deployment.outcome == "succeeded"]
    seconds = _seconds(succeeded[0]) if succeeded else None
    try:
        lease = await claiming.lease(space.policy, clusters.workload, service, environment)
    except errors.Forbidden:
        lease = None
    marks = lease.marks if lease is not None else {}
    if not marks.get("deployment"):
        if not succeeded:
            return State({}, seconds, "new")
        return State(_versions(succeeded[0]), seconds, drift=_drift(succeeded[0]))
    # A refused deployment leaves what the Lease says of the one before, so there was none; older hanbaes, which did
    # not, named no engine.
    if marks.get("outcome") == "refused" and marks.get("engine") and not succeeded:
        return State({}, seconds, "new")
    if marks.get("outcome") != "succeeded":
        return State({}, seconds, "failed")
    for deployment in succeeded:
        if deployment.id == marks["deployment"]:
            return State(_versions(deployment), seconds, drift=_drift(deployment))
    return State(
        await _proven_versions(space, marks.get("revision", ""), service, environment), seconds
    )


def _versions(deployment: recorded.Deployment) -> dict[str, int]:
    return {
        migration.database: migration.version
        for migration in deployment.migrations
        if migration.version is not None
    }


def _drift(deployment: recorded.Deployment) -> dict[str, tuple[wording.Text, ...]]:
    return {
        migration.database: tuple(filter(events.is_drift, migration.drift))
        for migration in deployment.migrations
    }


def _seconds(deployment: recorded.Deployment) -> float | None:
    """What it took without waiting for others: from the start of its own operation."""
    began = deployment.began or deployment.opened
    if began is None or deployment.closed is None:
        return None
    return (deployment.closed - began).total_seconds()


async def _proven_versions(
    space: workspaces.Workspace, commit: str, service: str, environment: str
) -> dict[str, int]:
    """The migrations of a commit that somebody has deployed; nothing where git no longer has it."""
    try:
        revision: revisions.Revision = space.checkout.revision(commit)
        source = await deployments.read(space.policy, revision, service, environment)
        steps = deployments.plan(source).steps
    except errors.Error:
        return {}
    return {
        step.does.database: max(step.does.versions)
        for step in steps
        if isinstance(step.does, plans.Prove)
    }
