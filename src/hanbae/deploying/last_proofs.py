"""Which services of a run differ from what was last proven of them: their objects, their images, their migrations.

What was last proven is a commit: the one that the application's Lease names, else the last one in the history. Both
commits are rendered for the same cluster, each with the policy that it holds itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, workspaces
from hanbae.apis import serving
from hanbae.deploying import claiming, live_sources
from hanbae.planning import deployments, freezing
from hanbae.policy import documents, loading, naming
from hanbae.repository import revisions
from hanbae.results import saved_plans

_AT_ONCE: Final = 8


class Proof(Struct, frozen=True):
    """The deployment that has proven what an application is.

    Attributes:
        commit: Full id of the commit.
        deployment: Id of the deployment.
        by: Who has deployed, as the cluster knows them.
    """

    commit: str
    deployment: str
    by: str


class _Promise(Struct, frozen=True):
    """What a deployment of a commit brings about, wherever it would be deployed to."""

    namespace: str
    release: str
    content: saved_plans.Service


async def unchanged(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    sources: Mapping[str, deployments.Source],
    *,
    cluster: serving.Cluster | None = None,
) -> tuple[str, ...]:
    """The services whose last deployment succeeded, and of which everything is as it was then.

    Whoever cannot tell deploys: a service that was never deployed, whose last deployment did not succeed, or whose last
    commit this clone does not have, is not among them.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        sources: The services at the commit that is to be deployed.
        cluster: What the workload cluster serves.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def same(source: deployments.Source) -> bool:
        async with places:
            return await _is_unchanged(space, clusters, source, cluster)

    answers = await asyncio.gather(*map(same, sources.values()))
    return tuple(name for name, answer in zip(sources, answers, strict=True) if answer)


async def last_proof(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> Proof | None:
    """What an application's last deployment has proven; None where that did not succeed, or none is known.

    The Lease is everybody's, so it decides; the history of this machine answers where there is no Lease.
    """
    try:
        lease = await claiming.lease(space.policy, clusters.workload, service, environment)
    except errors.Forbidden:
        lease = None
    marks = lease.marks if lease is not None else {}
    if marks.get("deployment"):
        proof = Proof(marks.get("revision", ""), marks["deployment"], marks.get("by", ""))
        return proof if marks.get("outcome") == "succeeded" and proof.commit else None
    for deployment in space.store.deployments(service=service, environment=environment):
        if deployment.outcome != "refused":  # a refused one has changed nothing
            proof = Proof(deployment.revision, deployment.id, deployment.by)
            return proof if deployment.outcome == "succeeded" else None
    return None


async def is_as_at(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    commit: str,
    *,
    cluster: serving.Cluster | None = None,
) -> bool:
    """Whether everything of a service is as it was in another commit; no where nothing can be compared.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        source: The service.
        commit: Full id of the other commit.
        cluster: What the workload cluster serves.
    """
    try:
        revision = space.checkout.revision(commit)
        policy = policy_at(revision, space.policy)
        before = await live_sources.read(
            clusters, policy, revision, source.service, source.environment, cluster=cluster
        )
        return _promise(before) == _promise(source)
    except (errors.Error, KeyError):
        # The commit is not in this clone, its files are read otherwise by now, or its policy lacks the
        # environment (KeyError): nothing can be compared.
        return False


async def _is_unchanged(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    cluster: serving.Cluster | None,
) -> bool:
    proof = await last_proof(space, clusters, source.service, source.environment)
    if proof is None:
        return False
    return await is_as_at(space, clusters, source, proof.commit, cluster=cluster)


def policy_at(revision: revisions.Revision, current: documents.Policy) -> documents.Policy:
    """The policy that a commit holds; the present one where it holds none.

    Raises:
        hanbae.errors.FileFault: It has a fault.
    """
    data = revision.read(loading.NAME)
    return loading.parse(data, loading.NAME)[0] if data is not None else current


def _promise(source: deployments.Source) -> _Promise:
    return _Promise(
        source.namespace,
        naming.release(source.policy, source.service, source.environment),
        # Tags are not resolved: the registry only knows what a tag stands for now.
        freezing.service(source, {}),
    )
