"""``hanbae check --live``: the Sealed Secrets controllers in the clusters, and whether they are new enough."""

from __future__ import annotations

from pathlib import Path

from hanbae.checking import findings_of_rules
from hanbae.clusters import connections, sealing_controllers
from hanbae.policy import environments
from hanbae.results import findings
from hanbae.rules import views
from hanbae.rules.secrets import controllers


async def of_project(
    project: views.Project,
    environment: str | None = None,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> tuple[findings.Finding, ...]:
    """What is too old, by environment.

    Args:
        project: The repository.
        environment: The environment; None for all that are on Kubernetes.
        context: kubeconfig context to use instead of each environment's own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.

    Raises:
        hanbae.errors.Unreachable: A cluster did not answer.
        hanbae.errors.WrongUse: There is no such context.
    """
    policy = project.policy
    if policy.secrets.are_external:
        return ()  # nothing is sealed for one
    hits = []
    for name in environments.on_kubernetes(policy):
        if environment not in (None, name):
            continue
        where = context or environments.workload(policy.environments[name])
        async with connections.connect(where, kubeconfig=kubeconfig) as cluster:
            images = await sealing_controllers.images(cluster, policy)
        hits += [
            findings_of_rules.elsewhere(controllers.LIVE, hit, environment=name)
            for hit in controllers.live(project, name, images)
        ]
    return tuple(hits)
