"""Plans a run: the head of the environment's branch, its services, a plan for each."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from hanbae.actions import workspace
from hanbae.clusters import reading
from hanbae.planning import deployments, services
from hanbae.results import plans


class Prepared(Struct, frozen=True):
    """A run that has been planned.

    Attributes:
        by: Who deploys, as the control cluster knows them, or Argo CD's API where that is used.
        revision: The commit.
        plans: Deployment id → plan, in the order of services.
    """

    by: str
    revision: str
    plans: dict[str, plans.Plan]


async def prepare(
    space: workspace.Workspace, wanted: tuple[str, ...], environment: str
) -> Prepared:
    """Plan a run.

    Args:
        space: The workspace.
        wanted: Services; empty for all of the branch.
        environment: The environment.

    Raises:
        hanbae.errors.WrongUse: No such environment, branch or service; a fault in the files of the commit.
        hanbae.errors.Unreachable: The remote or a cluster did not answer.
    """
    commit = await space.head(environment)
    revision = space.checkout.revision(commit)
    branch = space.environment(environment).branch or ""
    names = services.chosen(space.policy, revision, wanted, branch=branch)
    async with space.clusters(environment) as clusters:
        by, version = await asyncio.gather(_identity(clusters), reading.version(clusters.workload))
    found: dict[str, plans.Plan] = {}
    for name in names:
        source = await deployments.read(
            space.policy, revision, name, environment, kube_version=version
        )
        found[space.ids()] = deployments.plan(source)
    return Prepared(by, commit, found)


async def _identity(clusters: workspace.Clusters) -> str:
    if clusters.argocd is not None:
        return await clusters.argocd.username()
    return await reading.identity(clusters.control)
