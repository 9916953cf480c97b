"""``hanbae check --live``: the Applications that are in the clusters against the policy; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanbae.checking import findings_of_rules, projects
from hanbae.clusters import connections, kinds, reading
from hanbae.policy import labels, naming
from hanbae.policy.environments import chosen_for_argocd
from hanbae.policy.environments import control as control_context
from hanbae.repository.services import require as require_services
from hanbae.repository.services import source as services_source
from hanbae.results import findings
from hanbae.rules import views
from hanbae.rules.environments import argo


async def check_live(
    directory: Path,
    *,
    environments: Sequence[str] = (),
    services: Sequence[str] = (),
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> tuple[findings.Finding, ...]:
    """Compare the Applications of running environments with what the policy makes of them.

    Args:
        directory: The folder of the policy, or one below it.
        environments: The environments; empty for all that Argo CD deploys.
        services: The services; empty for all.
        context: kubeconfig context to use instead of each environment's own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.

    Raises:
        hanbae.errors.WrongUse: No policy, no such environment or service, or no such context; a cluster without
            Argo CD.
        hanbae.errors.Unreachable: A cluster did not answer, or the identity may not read Applications.
    """
    project = projects.project(directory)
    return await of_project(
        project,
        environments=environments,
        services=services,
        context=context,
        kubeconfig=kubeconfig,
    )


async def of_project(
    project: views.Project,
    *,
    environments: Sequence[str] = (),
    services: Sequence[str] = (),
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> tuple[findings.Finding, ...]:
    """The same for a repository that has been read, such as one with the policy of another commit."""
    argocd_environments = chosen_for_argocd(project.policy, environments)
    source = services_source(project.policy)
    require_services(services, (*project.services, *project.chartless), source=source)
    differences: list[findings.Finding] = []
    for environment in argocd_environments:
        settings = project.policy.environments[environment]
        where = context or control_context(settings)
        async with connections.connect(where, kubeconfig=kubeconfig) as cluster:
            differences += await of_environment(project, environment, cluster, services=services)
    return tuple(sorted(differences, key=lambda item: (item.place, item.service, str(item.text))))


async def of_environment(
    project: views.Project,
    environment: str,
    cluster: connections.Cluster,
    *,
    services: Sequence[str] = (),
) -> list[findings.Finding]:
    """The same for one environment, over a connection to Argo CD's cluster.

    Args:
        project: The repository.
        environment: An environment that Argo CD deploys.
        cluster: Argo CD's cluster.
        services: The services; empty for all, and for Applications of services that are no longer there.

    Raises:
        hanbae.errors.Error: As :func:`hanbae.clusters.reading.find`.
    """
    policy = project.policy
    every = await reading.find(cluster, kinds.APPLICATION, policy.argocd.namespace)
    by_name = {str(application["metadata"]["name"]): application for application in every}
    differences = [
        findings_of_rules.elsewhere(argo.LIVE, hit, service=service, environment=environment)
        for service in _there(project, environment)
        if not services or service in services
        for hit in argo.live(
            project,
            service,
            environment,
            by_name.get(naming.application(project.policy, service, environment)),
        )
    ]
    if services:
        return differences
    for application in every:
        own = application["metadata"].get("labels") or {}
        if own.get(labels.ENVIRONMENT) == environment:
            service = str(own.get(labels.SERVICE, ""))
            differences += [
                findings_of_rules.elsewhere(argo.LIVE, hit, environment=environment)
                for hit in argo.left(project, environment, service, application)
            ]
    return differences


def _there(project: views.Project, environment: str) -> tuple[str, ...]:
    """The services of an environment, those without a chart only where they have a folder for it."""
    chartless = (name for name, folders in project.chartless.items() if environment in folders)
    return (*project.services, *chartless)
