"""``hanbae plan``: what a deployment would do, from git and from the cluster, without doing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from hanbae import workspaces
from hanbae.deploying import (
    cluster_versions,
    helm_engine,
    known_state,
    live_sources,
    live_state,
    preflight,
)
from hanbae.planning import deployments, differing, forecasting, scheduling
from hanbae.policy import environments
from hanbae.repository import services
from hanbae.results import plans, previews

_AT_ONCE = 4


async def preview(
    space: workspaces.Workspace, requested: tuple[str, ...], environment: str
) -> tuple[previews.Preview, ...]:
    """What a deployment of the head of an environment's branch would do.

    Args:
        space: The workspace.
        requested: Services; empty for all of the branch that were begun.
        environment: The environment.

    Raises:
        hanbae.errors.WrongUse: No such environment, branch or service; a fault in the files of the commit.
        hanbae.errors.Unreachable: The remote, Argo CD or a cluster did not answer.
    """
    space.refuse_unknown(requested, environment)
    commit = await space.head(environment)
    revision = space.checkout.revision(commit)
    branch = space.environment(environment).branch or ""
    names = services.chosen(
        space.policy, revision, requested, revision=branch, environment=environment
    )
    places = asyncio.Semaphore(_AT_ONCE)
    async with space.clusters(environment) as clusters:
        cluster = await cluster_versions.read(clusters.workload)

        async def read(name: str) -> deployments.Source:
            async with places:
                return await live_sources.read(
                    clusters, space.policy, revision, name, environment, cluster=cluster
                )

        sources = await asyncio.gather(*map(read, names))
        if not requested:
            sources = [source for source in sources if preflight.is_begun(source)]
        _refuse_unplanned(sources)

        async def previewed(source: deployments.Source) -> previews.Preview:
            async with places:
                return await _of(space, clusters, source)

        return tuple(await asyncio.gather(*map(previewed, sources)))


async def of_sources(
    space: workspaces.Workspace,
    sources: Sequence[deployments.Source],
    environment: str,
    *,
    checks: bool = True,
) -> tuple[previews.Preview, ...]:
    """What a deployment of services would do that were read already.

    Args:
        space: The workspace.
        sources: The services at their commit.
        environment: The environment.
        checks: Whether what is known to fail is looked for as well.

    Raises:
        hanbae.errors.Forbidden: An Application may not be read.
        hanbae.errors.Unreachable: Argo CD or a cluster did not answer.
    """
    if not sources:
        return ()
    places = asyncio.Semaphore(_AT_ONCE)
    async with space.clusters(environment) as clusters:

        async def previewed(source: deployments.Source) -> previews.Preview:
            async with places:
                return await _of(space, clusters, source, checks=checks)

        return tuple(await asyncio.gather(*map(previewed, sources)))


def _refuse_unplanned(sources: Iterable[deployments.Source]) -> None:
    """Refuse services that name no image: their charts render nothing that could be planned."""
    unplanned = (preflight.without_plan(source) for source in sources)
    reasons = tuple(reason for reason in unplanned if reason is not None)
    if reasons:
        raise preflight.KnownToFail(reasons)


async def _of(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    *,
    checks: bool = True,
) -> previews.Preview:
    plan = deployments.plan(source)
    observed, history = await asyncio.gather(
        live_state.observe(space, clusters, source),
        known_state.read(space, clusters, source.service, source.environment),
    )
    # Helm knows no waves: in which order it goes, the step of the plan says.
    by_helm = environments.by_helm(space.policy, source.environment)
    examined = preflight.Examined()
    if checks:
        examined = await preflight.examine(space, clusters, source, plan)
    reasons = examined.reasons
    if checks and by_helm:
        reasons = (*reasons, *await helm_engine.refusals(space, clusters, source))
    objects = [manifest.object for manifest in source.rendered.manifests]
    waves = () if by_helm else scheduling.waves(objects, source.namespace)
    estimate = scheduling.estimate(waves, history.seconds)
    return previews.Preview(
        msgspec.structs.replace(
            plan, steps=tuple(map(_shown, plan.steps)), forecast=observed.forecast
        ),
        source.revision.commit,
        observed.compared,
        forecasting.pending(plan.steps, history.proven, why_unknown=history.why_unknown),
        waves,
        estimate,
        (
            *reasons,
            *source.rendered.warnings,
            *observed.notes,
            *examined.unchecked,
        ),
        reasons,
    )


def _shown(step: plans.Step) -> plans.Step:
    """A step fit to be seen: what a chart writes into its migration Job may hold a password."""
    if not isinstance(step.does, plans.Prove):
        return step
    does = msgspec.structs.replace(step.does, job=differing.veiled(step.does.job))
    return msgspec.structs.replace(step, does=does)
