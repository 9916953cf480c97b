"""Reads services at a commit as Argo CD would render them now: with what their Applications in the cluster say.

Parameters, values and values files, and what an Application says of Kustomize or of a folder, may have been changed in
the cluster alone: Argo CD renders with them, and so does hanbae. The images that must run in the end stay those of git.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanbae import errors, workspaces
from hanbae.apis import serving
from hanbae.argocd_api import comparing
from hanbae.clusters import kinds, reading
from hanbae.planning import deployments
from hanbae.policy import documents, environments, naming
from hanbae.repository import revisions


async def read(
    clusters: workspaces.Clusters,
    policy: documents.Policy,
    revision: revisions.Revision,
    service: str,
    environment: str,
    *,
    cluster: serving.Cluster | None,
) -> deployments.Source:
    """Read and render a service at a commit.

    Args:
        clusters: The environment's clusters.
        policy: The policy.
        revision: The commit.
        service: The service.
        environment: The environment.
        cluster: What the workload cluster serves; None for what the policy says of it.

    Raises:
        hanbae.errors.FileFault: As :func:`hanbae.planning.deployments.read`; the Application in the cluster asks for
            what hanbae cannot render.
        hanbae.errors.Unreachable: Argo CD, or its cluster, did not answer.
    """
    live = None
    if not environments.by_helm(policy, environment):
        live = await _application(clusters, policy, service, environment)
    return await deployments.read(
        policy, revision, service, environment, cluster=cluster, live=live
    )


async def _application(
    clusters: workspaces.Clusters, policy: documents.Policy, service: str, environment: str
) -> Mapping[str, Any] | None:
    """The Application; None where there is none, or it may not be read, which deploying it says."""
    name, namespace = naming.application(policy, service, environment), policy.argocd.namespace
    try:
        if clusters.argocd is not None:
            project = naming.project(policy, environment)
            return await comparing.application(clusters.argocd, name, project, namespace)
        return await reading.get(clusters.control, kinds.APPLICATION, namespace, name)
    except errors.Forbidden:
        return None
