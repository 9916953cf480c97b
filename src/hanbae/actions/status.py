"""``hanbae status``: where every service stands in every environment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from hanbae import errors, workspaces
from hanbae.actions import every_environment
from hanbae.argo import standing
from hanbae.argocd_api import comparing
from hanbae.clusters import kinds, reading
from hanbae.deploying import holding, permitting
from hanbae.engines.helm import standing as helm
from hanbae.policy import calendars, naming
from hanbae.policy import environments as named_environments
from hanbae.results import holds, standings
from hanbae.rules import application_sources

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
        environments: The environments; all on Kubernetes if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    answers = await every_environment.ask(space, services, environments, _of_environment)
    listed = {
        (entry.service, entry.environment): entry
        for entries, _ in answers.of.values()
        for entry in entries
    }
    ordered = tuple(
        listed.get((service, name), standings.Standing(service, name, "unknown"))
        for service in answers.services
        for name in answers.environments
    )
    held = tuple(entry for _, of_environment in answers.of.values() for entry in of_environment)
    frozen = tuple(_frozen(space, answers.environments))
    return standings.Standings(ordered, answers.unreached, frozen, held)


def _frozen(space: workspaces.Workspace, names: Sequence[str]) -> Iterator[standings.Frozen]:
    """The environments that the policy freezes now."""
    for name in names:
        frozen = calendars.frozen(space.policy, name, space.clock())
        if frozen is not None:
            freeze, until = frozen.freeze, permitting.until(frozen)
            yield standings.Frozen(name, freeze.name, freeze.reason, until)


async def _of_environment(
    space: workspaces.Workspace, services: Sequence[str], environment: str
) -> tuple[list[standings.Standing], list[holds.Held]]:
    head = await space.head(environment)
    held: list[holds.Held] = []
    async with space.clusters(environment) as clusters:
        if named_environments.by_helm(space.policy, environment):
            judged = await _of_releases(space, clusters, services, environment, head=head)
        else:
            applications = await applications_of(space, clusters, services, environment)
            judged = [
                structs.replace(
                    standing.judge(applications.get(service), service, environment, head=head),
                    overrides=_overrides(
                        space, service, environment, applications.get(service), head=head
                    ),
                )
                for service in services
            ]
        with contextlib.suppress(
            errors.Error
        ):  # who may see no Lease sees where services stand all the same
            held = await holding.listed(space.policy, clusters.workload, services, environment)
    last = space.store.last(environment)
    entries = [
        structs.replace(entry, deployment=deployment.id, outcome=deployment.outcome)
        if (deployment := last.get(entry.service))
        else entry
        for entry in judged
    ]
    return entries, held


def _overrides(
    space: workspaces.Workspace,
    service: str,
    environment: str,
    application: Mapping[str, Any] | None,
    *,
    head: str,
) -> tuple[str, ...]:
    """What an Application sets and nothing in git says; git is looked through only where it sets anything."""
    where = space.policy, service, environment
    if application is None or not application_sources.is_about(*where, application):
        return ()
    live = application_sources.of_live(*where, application)
    unwritten = application_sources.Written(live.application)
    if not application_sources.live_settings(*where, live=live, former=unwritten):
        return ()
    written = application_sources.in_files(
        space.policy, space.checkout.revision(head), service, environment
    )
    return application_sources.live_settings(*where, live=live, former=written)


async def _of_releases(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    services: Sequence[str],
    environment: str,
    *,
    head: str,
) -> list[standings.Standing]:
    """Where services stand that Helm deploys."""
    places, policy = asyncio.Semaphore(_AT_ONCE), space.policy

    async def one(service: str) -> standings.Standing:
        async with places:
            entry = await helm.read(
                clusters.workload,
                service,
                environment,
                namespace=naming.namespace(policy, service, environment),
                release=naming.release(policy, service, environment),
                head=head,
            )
        if entry.state == "behind" and _is_same(space, service, (entry.deployed, head)):
            return structs.replace(entry, state="current")
        return entry

    return list(await asyncio.gather(*map(one, services)))


def _is_same(space: workspaces.Workspace, service: str, commits: tuple[str, str]) -> bool:
    """Whether the folder of a service is the same in two commits; not where the clone does not have both."""
    folder = str(naming.folder(space.policy, service))
    try:
        first, second = (space.checkout.revision(commit).files(folder) for commit in commits)
    except errors.WrongUse:
        return False
    return first == second


async def applications_of(
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
