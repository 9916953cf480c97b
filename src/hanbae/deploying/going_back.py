"""Prepares a rollback: which commit runs, to which one it goes back, what is taken back of the databases, or why not.

One decision, not two: what an older commit lacks of a database is found as for ``deploy --revision``, and what the
plan takes back of it is no reason any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.apis import serving
from hanbae.clusters import leases
from hanbae.deploying import claiming, live_sources, older_commits, preflight
from hanbae.planning import deployments, ways_back
from hanbae.policy import environments
from hanbae.results import plans

_MOST: Final = 20
"""Earlier commits that are looked at for one that can be gone back to."""
_SHORT: Final = 12


class Start(Struct, frozen=True):
    """Where a rollback begins.

    Attributes:
        commit: The commit that was deployed last, successfully or not: what is gone back from.
        target: The commit of a rollback that was begun and has not succeeded; empty for none.
        reached: Database → the version that it is known to have.
    """

    commit: str
    target: str = ""
    reached: Mapping[str, int] = {}


async def start(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> Start:
    """Where a rollback of a service begins; where hanbae has deployed nothing, at the head of the branch.

    Raises:
        hanbae.errors.Unreachable: The remote or the cluster did not answer.
    """
    marks = await _marks(space, clusters, service, environment)
    states = await older_commits.applied(space, clusters, service, environment)
    if marks.get("back") and marks.get("revision") and marks.get("outcome") != "succeeded":
        # Begun and not ended well: the same way again, and goose passes over what is taken back already.
        # When only databases go back, the Lease's revision is the commit that stays,
        # not the target.
        ahead = marks["revision"] if marks["revision"] != marks["back"] else ""
        return Start(marks["back"], ahead)
    # A deployment begun since the last success may have migrated further than the proven one.
    newest = next((state for state in states if not state.is_proven), None)
    newest = newest or next(iter(states), None)
    if newest is None:
        return Start(await space.head(environment))
    return Start(newest.revision, reached=newest.versions)


async def _marks(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> Mapping[str, str]:
    try:
        lease: leases.State | None = await claiming.lease(
            space.policy, clusters.workload, service, environment
        )
    except errors.Forbidden:
        lease = None
    return lease.marks if lease is not None else {}


def target(
    space: workspaces.Workspace, service: str, environment: str, begun: Start, named: str
) -> str:
    """The commit that a rollback goes back to: the one that is named, else the last that was proven before.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        begun: Where it begins.
        named: Any name that git has for a commit; empty for the last one that succeeded.

    Raises:
        hanbae.errors.WrongUse: git has no such commit, it is no earlier one than what runs, or none is known.
    """
    facts = {"service": service, "environment": environment, "revision": begun.commit[:_SHORT]}
    if named:
        commit = space.checkout.revision(named).commit
        if commit == begun.commit:
            raise errors.WrongUse("rollback.is-there", place=None, **facts)
        if not space.checkout.is_ancestor(commit, begun.commit):
            about = facts | {"target": commit[:_SHORT]}
            raise errors.WrongUse("rollback.not-earlier", place=None, **about)
        return commit
    if begun.target:
        return begun.target
    commit = next(iter(_earlier(space, service, environment, begun.commit)), "")
    if not commit:
        raise errors.WrongUse("rollback.none-earlier", place=None, **facts)
    return commit


def _earlier(
    space: workspaces.Workspace, service: str, environment: str, commit: str
) -> tuple[str, ...]:
    """The commits of which a deployment has succeeded, that are earlier ones of a commit's history; newest first."""
    listed = space.store.deployments(service=service, environment=environment)
    proven = (entry.revision for entry in listed if entry.outcome == "succeeded")
    distinct = [entry for entry in dict.fromkeys(proven) if entry != commit]
    return tuple(entry for entry in distinct if space.checkout.is_ancestor(entry, commit))[:_MOST]


async def planned(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    plan: plans.Plan,
    *,
    begun: Start,
    cluster: serving.Cluster | None = None,
) -> plans.Plan:
    """The plan of an older commit with the way back of its databases before it.

    In an environment that Argo CD keeps at the head of its branch it is that way alone: the code follows the branch.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        source: The service at the older commit.
        plan: That commit's plan.
        begun: Where the rollback begins.
        cluster: What the workload cluster serves.

    Raises:
        hanbae.deploying.preflight.KnownToFail: A database cannot go back so far.
    """
    present = await _present(space, clusters, source, begun.commit, cluster)
    revision = space.checkout.revision(begun.commit)
    ways = ways_back.between(
        present, plan, revision, reached=begun.reached, revision=revision.commit
    )
    if ways.boundaries:
        reasons = tuple(boundary.why for boundary in ways.boundaries)
        nearest = [text async for text in _nearest(space, source, present, begun=begun)]
        raise preflight.KnownToFail((*reasons, *nearest))
    deploys = not environments.is_automated(space.policy, source.environment)
    return ways_back.through(plan, ways.back, deploys=deploys)


async def _present(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    commit: str,
    cluster: serving.Cluster | None,
) -> plans.Plan:
    at_commit = await live_sources.read(
        clusters,
        space.policy,
        space.checkout.revision(commit),
        source.service,
        source.environment,
        cluster=cluster,
    )
    return deployments.plan(at_commit, is_older=True)


async def _nearest(
    space: workspaces.Workspace,
    source: deployments.Source,
    present: plans.Plan,
    *,
    begun: Start,
) -> AsyncIterator[wording.Text]:
    """The commit nearest to the one that cannot be reached, or that there is none."""
    facts = {"service": source.service, "environment": source.environment}
    tree = space.checkout.revision(begun.commit)
    # Oldest first: the first commit that can be reached is the nearest to the one that cannot.
    for commit in reversed(_earlier(space, source.service, source.environment, begun.commit)):
        if commit == source.revision.commit or not space.checkout.is_ancestor(
            source.revision.commit, commit
        ):
            continue
        try:
            older = await deployments.read(
                space.policy,
                space.checkout.revision(commit),
                source.service,
                source.environment,
            )
            candidate = deployments.plan(older, is_older=True)
        except errors.Error:
            continue
        ways = ways_back.between(
            present, candidate, tree, reached=begun.reached, revision=begun.commit
        )
        if not ways.boundaries:
            yield wording.Text("rollback.nearest", facts | {"revision": commit[:_SHORT]})
            return
    yield wording.Text("rollback.forward-only", facts)
