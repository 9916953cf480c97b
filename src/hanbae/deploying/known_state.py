"""What is known of an application from before: which migrations were proven, and how long a deployment takes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hanbae import errors, workspaces
from hanbae.deploying import claiming
from hanbae.planning import deployments
from hanbae.repository import revisions
from hanbae.results import plans


class Known(Struct, frozen=True):
    """What is known.

    Attributes:
        proven: Database → the version that it was proven to have last, and that nothing has touched since as far as
            anybody knows.
        seconds: What the last successful deployment took, or None.
    """

    proven: Mapping[str, int]
    seconds: float | None = None


async def known(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> Known:
    """What the history of this machine and the application's Lease know; the Lease is everybody's, so it decides.

    Where its last deployment did not succeed, a migration may or may not have run, and nothing is said.
    """
    listed = space.store.deployments(service=service, environment=environment)
    done = [each for each in listed if each.outcome == "succeeded"]
    seconds = None
    if done and done[0].opened and done[0].closed:
        seconds = (done[0].closed - done[0].opened).total_seconds()
    try:
        lease = await claiming.seen(space.policy, clusters.workload, service, environment)
    except errors.Forbidden:
        lease = None
    marks = lease.marks if lease is not None else {}
    if not marks.get("deployment"):
        proven = {one.database: one.version for one in done[0].migrations} if done else {}
        return Known(proven, seconds)
    if marks.get("outcome") != "succeeded":
        return Known({}, seconds)
    mine = next((each for each in done if each.id == marks["deployment"]), None)
    if mine is not None:
        return Known({one.database: one.version for one in mine.migrations}, seconds)
    return Known(await _at(space, marks.get("revision", ""), service, environment), seconds)


async def _at(
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
