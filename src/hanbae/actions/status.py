"""``hanbae status``: where every service stands in every environment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from hanbae import errors, workspaces
from hanbae.argo import standing
from hanbae.argocd_api import comparing
from hanbae.clusters import kinds, reading
from hanbae.policy import environments as named_environments
from hanbae.policy import naming
from hanbae.repository import services as repository_services
from hanbae.results import standings

_AT_ONCE: Final = 8

_Applications = Mapping[str, Mapping[str, Any] | None]


async def status(
    space: workspaces.Workspace,
    services: Sequence[str] = (),
    environments: Sequence[str] = (),
) -> standings.Standings:
    """Where services stand; an environment that does not answer hides no other.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all that Argo CD deploys if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    chosen = tuple(services) or repository_services.of_checkout(space.loaded)
    repository_services.check(space.loaded, *services)
    names = tuple(environments) or named_environments.deployed_by_argocd(space.policy)
    for name in names:
        space.environment(name)
    answers = await asyncio.gather(
        *(_of_environment(space, chosen, name) for name in names), return_exceptions=True
    )
    listed: dict[tuple[str, str], standings.Standing] = {}
    unreached = []
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, errors.Error):
            unreached.append(standings.Unreached(name, answer.text))
            entries = [standings.Standing(service, name, "unknown") for service in chosen]
        elif isinstance(answer, BaseException):
            raise answer
        else:
            entries = answer
        listed |= {(entry.service, name): entry for entry in entries}
    ordered = tuple(listed[service, name] for service in chosen for name in names)
    return standings.Standings(ordered, tuple(unreached))


async def _of_environment(
    space: workspaces.Workspace, services: Sequence[str], environment: str
) -> list[standings.Standing]:
    head = await space.head(environment)
    async with space.clusters(environment) as clusters:
        applications = await _applications(space, clusters, services, environment)
    last = space.store.last(environment)
    judged = [
        standing.judge(applications.get(service), service, environment, head=head)
        for service in services
    ]
    return [
        structs.replace(entry, deployment=deployment.id, outcome=deployment.outcome)
        if (deployment := last.get(entry.service))
        else entry
        for entry in judged
    ]


async def _applications(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    services: Sequence[str],
    environment: str,
) -> _Applications:
    """Service → its Application. All are listed at once where that is permitted, else asked for by name."""
    policy, namespace = space.policy, space.policy.argocd.namespace
    names = {service: naming.application(policy, service, environment) for service in services}
    if clusters.argocd is None and len(services) > 1:
        try:
            listed = await reading.find(clusters.control, kinds.APPLICATION, namespace)
        except errors.Forbidden:
            pass
        else:
            by_name = {item["metadata"]["name"]: item for item in listed}
            return {service: by_name.get(name) for service, name in names.items()}
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> Mapping[str, Any] | None:
        async with places:
            if clusters.argocd is not None:
                project = naming.project(policy, environment)
                return await comparing.application(clusters.argocd, name, project, namespace)
            return await reading.get(clusters.control, kinds.APPLICATION, namespace, name)

    answers = await asyncio.gather(*map(one, names.values()))
    return dict(zip(names, answers, strict=True))
