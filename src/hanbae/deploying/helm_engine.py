"""Helm's engine for one deployment, with the release as the commit has it: rendered, and as Helm's files."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from hanbae import errors, subjects, wording, workspaces
from hanbae.argo import hooks
from hanbae.charts import gathering
from hanbae.clusters import kinds
from hanbae.deploying import cluster_versions
from hanbae.engines import owning_releases
from hanbae.engines.helm import engine, program
from hanbae.planning import deployments, releases, scheduling
from hanbae.policy import naming
from hanbae.repository import services, trees


def of(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    service: str,
    environment: str,
    *,
    revision: str,
    waits: Callable[[wording.Text], Awaitable[None]] | None = None,
) -> engine.Helm:
    """The engine.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        service: The service.
        environment: The environment.
        revision: The commit that is deployed; empty where nothing is to be begun.
        waits: Called with a sentence about somebody else's Helm that is waited for; None to refuse instead.
    """
    policy = space.policy
    application = naming.application(policy, service, environment)
    target = engine.Target(
        naming.namespace(policy, service, environment),
        naming.release(policy, service, environment),
        naming.secret(policy, service, environment),
        subjects.Ref("Application", policy.argocd.namespace, application),
        space.kubeconfig,
        kinds.of_secrets(policy.secrets.provider),
    )

    async def read() -> engine.Release:
        return await _release(space, clusters, service, environment, revision=revision)

    return engine.Helm(clusters.workload, clusters.control, target, read, waits=waits)


async def _release(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    service: str,
    environment: str,
    *,
    revision: str,
) -> engine.Release:
    tree = space.checkout.revision(revision)
    policy = services.located(space.policy, tree)
    cluster = await cluster_versions.read(clusters.workload)
    source = await deployments.read(policy, tree, service, environment, cluster=cluster)
    values = releases.values(tree, policy, service, environment).contents
    overrides = releases.overrides(tree, policy, service, environment, values)
    chart = program.Chart(
        naming.release(policy, service, environment),
        source.namespace,
        _files(tree, str(naming.chart(policy, service))),
        (*values, *overrides.values),
    )
    return engine.Release(_objects(source), chart)


def _objects(source: deployments.Source) -> dict[subjects.Ref, kinds.Object]:
    return {
        scheduling.reference(manifest.object, source.namespace): manifest.object
        for manifest in source.rendered.manifests
        if not hooks.is_ignored(manifest.object)
    }


async def refusals(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> tuple[wording.Text, ...]:
    """Why Helm would not be begun with: Argo CD deploys the service. Nothing where Helm may go on.

    What the user may not look at is passed over: the deployment itself refuses then.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        source: The service at the commit.

    Raises:
        hanbae.errors.Unreachable: A cluster did not answer.
    """
    application = naming.application(space.policy, source.service, source.environment)
    ref = subjects.Ref("Application", space.policy.argocd.namespace, application)
    try:
        for place, manifest in _objects(source).items():
            with contextlib.suppress(errors.Forbidden):
                await owning_releases.refuse_argo_cd(clusters.workload, {place: manifest})
        await owning_releases.refuse_application(clusters.control, ref)
    except errors.Refused as refused:
        return (refused.text,)
    return ()


def _files(tree: trees.Tree, chart: str) -> dict[str, bytes]:
    """The files of a chart, with what it depends on and has not vendored.

    Raises:
        hanbae.errors.FileFault: A dependency is neither in the repository nor fetched.
    """
    files = gathering.files(tree, chart)
    missing = [
        dependency.name
        for dependency in gathering.declarations(files).dependencies
        if not any(
            name.startswith((f"charts/{dependency.name}/", f"charts/{dependency.name}-"))
            for name in files
        )
    ]
    return gathering.completed(tree, chart, files, missing)[0] if missing else files
