"""Plans a run: the head of the environment's branch, its services, a plan for each."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Struct

from hanbae import workspaces
from hanbae.deploying import cluster_versions, resuming, verifying_plan
from hanbae.planning import deployments, freezing
from hanbae.repository import services
from hanbae.results import freezes, plans


class Prepared(Struct, frozen=True):
    """A run that has been planned.

    Attributes:
        by: Who deploys, as the control cluster knows them, or Argo CD's API where that is used.
        revision: The commit.
        plans: Deployment id → plan, in the order of services; what is resumed comes before what is new.
        resumed: Deployment id → what was done of it, for those that an earlier run has left half done.
    """

    by: str
    revision: str
    plans: dict[str, plans.Plan]
    resumed: dict[str, resuming.Past] = {}

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:
        """The deployments of each service in their order."""
        found: dict[str, list[str]] = {}
        for deployment, plan in self.plans.items():
            found.setdefault(plan.service, []).append(deployment)
        return tuple(map(tuple, found.values()))

    @property
    def last(self) -> tuple[str, ...]:
        """The deployments that decide how the run has ended: the last one of each service."""
        return tuple(chain[-1] for chain in self.chains)


async def prepare(
    space: workspaces.Workspace,
    wanted: tuple[str, ...],
    environment: str,
    *,
    claim: freezes.Frozen | None = None,
) -> Prepared:
    """Plan a run; deployments that nobody drives any more, of the same services, become part of it.

    Args:
        space: The workspace.
        wanted: Services; empty for all of the branch.
        environment: The environment.
        claim: A saved plan, whose promises the deployments are held to.

    Raises:
        hanbae.errors.WrongUse: No such environment, branch or service; a fault in the files of the commit.
        hanbae.errors.Refused: The branch is elsewhere than the saved plan says.
        hanbae.errors.Unreachable: The remote or a cluster did not answer.
    """
    if claim is not None:
        freezing.check_names(claim, space.policy, ())
    space.refuse_unknown(wanted, environment)
    commit = await space.head(environment)
    if claim is not None:
        freezing.check_head(claim, commit)
    revision = space.checkout.revision(commit)
    branch = space.environment(environment).branch or ""
    if claim is not None:
        freezing.check_names(claim, space.policy, services.of(space.policy, revision))
    names = services.chosen(space.policy, revision, wanted, branch=branch)
    async with space.clusters(environment) as clusters:
        by, cluster = await asyncio.gather(
            clusters.identity(), cluster_versions.read(clusters.workload)
        )
        left = await asyncio.gather(
            *(resuming.of_application(space, clusters, name, environment) for name in names)
        )
        if claim is not None:
            left = [past and await _held(space, clusters, past, claim) for past in left]
    found: dict[str, plans.Plan] = {}
    resumed = {past.deployment: past for past in left if past is not None}
    for name, past in zip(names, left, strict=True):
        if past is not None:
            found[past.deployment] = past.plan
            if past.revision == commit:
                continue
        source = await deployments.read(space.policy, revision, name, environment, cluster=cluster)
        plan = deployments.plan(source)
        if claim is not None:
            plan = freezing.bound(plan, claim, freezing.promised(claim, name))
        found[space.ids()] = plan
    return Prepared(by, commit, found, resumed)


async def _held(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    past: resuming.Past,
    claim: freezes.Frozen,
) -> resuming.Past:
    """A deployment that was left half done, held to the saved plan where it is of the same commit.

    A deployment does not look at its guards again once it has begun, so here they are looked at before it goes on.
    """
    if past.revision != claim.revision:
        return past
    plan = freezing.bound(past.plan, claim, freezing.promised(claim, past.plan.service))
    await verifying_plan.keep(space, clusters, plan)
    return msgspec.structs.replace(past, plan=plan)
