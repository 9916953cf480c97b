"""``hanbae plan``: what a deployment would do, from git and from the cluster, without doing anything."""

from __future__ import annotations

import asyncio

import msgspec

from hanbae import workspaces
from hanbae.deploying import cluster_versions, known_state, live_state
from hanbae.planning import deployments, differing, forecasting, scheduling
from hanbae.repository import services
from hanbae.results import plans, previews

_AT_ONCE = 4


async def preview(
    space: workspaces.Workspace, names: tuple[str, ...], environment: str
) -> tuple[previews.Preview, ...]:
    """What a deployment of the head of an environment's branch would do.

    Args:
        space: The workspace.
        names: Services; empty for all of the branch.
        environment: The environment.

    Raises:
        hanbae.errors.WrongUse: No such environment, branch or service; a fault in the files of the commit.
        hanbae.errors.Unreachable: The remote, Argo CD or a cluster did not answer.
    """
    space.refuse_unknown(names, environment)
    commit = await space.head(environment)
    revision = space.checkout.revision(commit)
    branch = space.environment(environment).branch or ""
    names = services.chosen(space.policy, revision, names, branch=branch)
    places = asyncio.Semaphore(_AT_ONCE)
    async with space.clusters(environment) as clusters:
        cluster = await cluster_versions.read(clusters.workload)

        async def one(name: str) -> previews.Preview:
            async with places:
                source = await deployments.read(
                    space.policy, revision, name, environment, cluster=cluster
                )
                return await _of(space, clusters, source)

        return tuple(await asyncio.gather(*map(one, names)))


async def _of(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> previews.Preview:
    plan = deployments.plan(source)
    live, recorded = await asyncio.gather(
        live_state.observe(space, clusters, source),
        known_state.known(space, clusters, source.service, source.environment),
    )
    objects = [manifest.object for manifest in source.rendered.manifests]
    waves = scheduling.waves(objects, source.namespace)
    return previews.Preview(
        msgspec.structs.replace(plan, steps=tuple(map(_shown, plan.steps)), forecast=live.forecast),
        source.revision.commit,
        live.compared,
        forecasting.pending(plan.steps, recorded.proven),
        waves,
        scheduling.estimate(waves, recorded.seconds),
        (*(difference.text for difference in source.rendered.differences), *live.notes),
    )


def _shown(step: plans.Step) -> plans.Step:
    """A step fit to be seen: what a chart writes into its migration Job may hold a password."""
    if not isinstance(step.does, plans.Prove):
        return step
    does = msgspec.structs.replace(step.does, job=differing.veiled(step.does.job))
    return msgspec.structs.replace(step, does=does)
