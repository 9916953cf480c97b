"""Chooses what drives one deployment, as the policy says: Argo CD, through its objects or its API, or Helm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from hanbae import subjects, wording, workspaces
from hanbae.argo import applications, generating, operations
from hanbae.clusters import kinds
from hanbae.deploying import helm_engine
from hanbae.engines import protocol
from hanbae.engines.argocd import application_handles, served, transports
from hanbae.engines.argocd import engine as argocd
from hanbae.policy import environments, naming
from hanbae.repository import services
from hanbae.results import plans


def engine(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    service: str,
    environment: str,
    *,
    by: str,
    deployment: str = "",
    revision: str = "",
    waits: Callable[[wording.Text], Awaitable[None]] | None = None,
) -> protocol.Engine:
    """What drives a service in an environment.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        service: The service.
        environment: The environment.
        by: Who drives it.
        deployment: The deployment's id; empty where nothing is to be begun.
        revision: The commit that is deployed; empty likewise.
        waits: Called with a sentence about somebody else's operation that is waited for; None to refuse instead.
    """
    policy = space.policy
    if environments.by_helm(policy, environment):
        return helm_engine.of(space, clusters, service, environment, revision=revision, waits=waits)
    if revision:  # whether it has a chart there, and in which folder it is
        policy = services.located(policy, space.checkout.revision(revision))
    expected = generating.application(policy, service, environment)
    source = applications.chart_source(expected)
    release = (source.get("helm") or {}).get("releaseName")
    target = argocd.Target(
        application=naming.application(policy, service, environment),
        argocd=policy.argocd.namespace,
        namespace=naming.namespace(policy, service, environment),
        release=release or "",
        secret=naming.secret(policy, service, environment),
        maker=kinds.of_secrets(policy.secrets.provider),
        owned=applications.Owned(
            repository=source["repoURL"],
            path=source["path"],
            release=release,
            namespace=expected["spec"]["destination"]["namespace"],
            labels=expected["metadata"]["labels"],
        ),
    )
    about = {
        "deployment": deployment,
        "service": service,
        "environment": environment,
        "revision": revision,
        "by": by,
    }
    through = application(space, clusters, service, environment)
    return argocd.ArgoCD(
        through, clusters.workload, target, by=f"hanbae/{by}", about=about, waits=waits
    )


def driving(space: workspaces.Workspace, plan: plans.Plan) -> workspaces.Workspace:
    """The workspace with the engine that the plan is for, whatever the policy says of the environment by now."""
    by_helm = plan.engine == "helm"
    if by_helm == environments.by_helm(space.policy, plan.environment):
        return space
    return space.driven_by(plan.environment, "helm" if by_helm else "argocd")


def application(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> transports.Application:
    """The way to a service's Application."""
    policy = space.policy
    ref = subjects.Ref(
        "Application", policy.argocd.namespace, naming.application(policy, service, environment)
    )
    if clusters.argocd is not None:
        project = naming.project(policy, environment)
        return served.Application(clusters.argocd, ref, project=project)
    made_by = naming.application_set(policy, environment)
    return application_handles.Application(clusters.control, ref, made_by=made_by)


async def marks(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    service: str,
    environment: str,
    deployment: str,
) -> Mapping[str, str]:
    """What a service's operation says about a deployment; nothing where it is another deployment's."""
    if environments.by_helm(space.policy, environment):
        return {}  # its Lease says it
    current = await application(space, clusters, service, environment).read()
    if current is None:
        return {}
    for operation in (operations.requested(current), operations.recorded(current)):
        if operation is not None and operation.about.get("deployment") == deployment:
            return operation.about
    return {}
