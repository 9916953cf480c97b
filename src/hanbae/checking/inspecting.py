"""Inspects one service: renders it and runs the rules over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hanbae import errors, libyaml
from hanbae.apis import serving
from hanbae.argo import authorizing
from hanbae.charts import pools
from hanbae.checking import findings_of_rules, projects, tracing_findings
from hanbae.handbook import facts
from hanbae.migrations import declared_databases
from hanbae.policy import environments, naming
from hanbae.releases import rights
from hanbae.results import findings
from hanbae.rules import claims, documented, ignores, rulebook, running, views

_MIGRATION: Final = "migration"


class Unprepared(Struct, frozen=True):
    """A service that has not been begun in some environments: no image named and nothing sealed.

    Attributes:
        service: The service.
        environments: The environments.
    """

    service: str
    environments: tuple[str, ...]


class Inspection(Struct, frozen=True):
    """What there is in a service, or in several, before anything is merged or accepted.

    Attributes:
        findings: Everything that rules find.
        ignores: The comments in the services' files that say that a finding is meant.
        unprepared: What has not been begun.
        claims: Environment → the objects of a service's release.
        rights: Environment → what the deployer's rights depend on and its values do not say.
        deployed: Environment → what is there, for the documents; None where some of it does not render.
    """

    findings: tuple[findings.Finding, ...] = ()
    ignores: tuple[ignores.Ignore, ...] = ()
    unprepared: tuple[Unprepared, ...] = ()
    claims: dict[str, tuple[claims.Claim, ...]] = {}
    rights: dict[str, authorizing.Service] = {}
    deployed: dict[str, facts.Deployed] | None = None


async def inspect(
    pool: pools.Pool, project: views.Project, name: str, rules: Sequence[rulebook.Rule]
) -> Inspection:
    """Everything that rules find in a service.

    Args:
        pool: Renders.
        project: The repository.
        name: The service.
        rules: The rules; those over the whole repository are passed over.
    """
    try:
        rendered = await projects.service(pool, project, name)
    except errors.FileFault as fault:
        comments = ignores.of_service(views.Service(project, name))
        return Inspection((projects.as_finding(fault, name),), comments)
    service = rendered.service
    located, unlocated = findings_of_rules.located(running.over_service(service, rules))
    located += await tracing_findings.traced(pool, rendered, unlocated)
    located += [
        projects.as_finding(fault, name, (environment,)) for environment, fault in rendered.faults
    ]
    if rendered.missing is not None:
        located.append(projects.as_finding(rendered.missing, name))
    idle = tuple(
        release.environment for release in service.releases.values() if not release.prepared
    )
    unprepared = (Unprepared(name, idle),) if idle else ()
    inspection = Inspection(
        tuple(located),
        ignores.of_service(service),
        unprepared,
        claims_of(service),
        rights_of(service),
        None if rendered.faults else documented.deployed(service),
    )
    # A service and its releases refer to each other. Parted, they go at once, with all that was read and worked out
    # of them; otherwise Python would look for them, again and again, among all objects that there are.
    service.releases.clear()
    return inspection


def rights_of(service: views.Service) -> dict[str, authorizing.Service]:
    """Environment → what only rendering says of a service, for the rule over the deployer's rights.

    That is what may be proven where no values say it, and what Helm applies where it deploys.
    """
    described = {}
    for environment, release in service.releases.items():
        by_helm = environments.by_helm(release.policy, environment)
        declares = _declares(service, release.values_file)
        if declares and not by_helm:
            continue
        right = authorizing.Service(service.name)
        if release.layer:  # what is rendered with an image for the rules alone is not there yet
            if not by_helm:
                described[environment] = right
            continue
        if not declares:
            secret = naming.secret(release.policy, service.name, environment)
            right = rights.of(release.model, service=service.name, secret=secret)
        described[environment] = rights.with_objects(right, release.model) if by_helm else right
    return described


def _declares(service: views.Service, file: str) -> bool:
    """Whether a values file says itself what the service migrates; where it can be told by its places, by them."""
    places = service.values(file).places
    if (_MIGRATION,) not in places:
        return False
    # A key below it makes it a mapping. Without one it is empty, a list or a scalar, and the file
    # has to be read.
    if any(len(keys) > 1 and keys[0] == _MIGRATION and isinstance(keys[1], str) for keys in places):
        return True
    return declared_databases.are_declared(libyaml.mapping(service.text(file) or "") or {})


def claims_of(service: views.Service) -> dict[str, tuple[claims.Claim, ...]]:
    """The objects of each of a service's releases, for the rule over all services."""
    kinds = serving.cluster_scoped()
    return {
        name: claims.of(
            release.objects,
            cluster=environments.workload(release.settings) or "",
            cluster_scoped=kinds,
        )
        for name, release in service.releases.items()
    }
