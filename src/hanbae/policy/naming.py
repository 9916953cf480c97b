"""The names that follow from the policy: one place for each, used by charts, engines and proofs alike."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final, Literal

from msgspec import Struct

from hanbae import patterns
from hanbae.policy import documents, environments, folders, service_paths

RBAC: Final = "k8s/rbac"
"""Below it is what hanbae may do in the clusters, by environment."""
RUNNER: Final = "hanbae-migrate"
"""The runner of migrations that takes a lock."""
RUNNER_SOURCES: Final = "tools/hanbae-migrate"
"""Its sources, of which a service's Dockerfile builds it: images are made without hanbae."""

CHART_VALUES: Final = "values.yaml"
"""The values of a chart's own, which Helm begins with."""

_SERVICE: Final = patterns.lazy(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_OBJECT: Final = patterns.lazy(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def is_service(name: str) -> bool:
    """Whether objects can be named after a service that is called so: an RFC 1123 label."""
    return bool(_SERVICE.fullmatch(name))


def is_object(name: str, field: str) -> bool:
    """Whether Kubernetes and Helm take a name for what it is: with dots, except for a namespace.

    Args:
        name: The name.
        field: ``release``, ``application``, ``secret`` or ``namespace``.
    """
    return is_service(name) if field == "namespace" else bool(_OBJECT.fullmatch(name))


def filled(template: str, service: str, environment: str, *, release: str = "") -> str:
    """A template of the policy: the one place that knows what it may hold.

    Args:
        template: Such as ``{service}-{environment}``.
        service: What ``{service}`` becomes.
        environment: What ``{environment}`` becomes.
        release: What ``{release}`` becomes.
    """
    return (
        template.replace("{release}", release)
        .replace("{service}", service)
        .replace("{environment}", environment)
    )


def _template(policy: documents.Policy, service: str, field: str) -> str:
    """What the policy says of a service by its name, else of all."""
    named = policy.services.named.get(service)
    own = getattr(named, field) if named is not None else None
    return str(own if own is not None else getattr(policy.services, field))


def release(policy: documents.Policy, service: str, environment: str) -> str:
    """The Helm release of a service: ``auth-service``."""
    return filled(_template(policy, service, "release"), service, environment)


def secret(policy: documents.Policy, service: str, environment: str) -> str:
    """The Secret of a service: ``auth-secrets``."""
    own = release(policy, service, environment)
    return filled(_template(policy, service, "secret"), service, environment, release=own)


def application(policy: documents.Policy, service: str, environment: str) -> str:
    """Argo CD's Application: ``auth-dev``."""
    return filled(_template(policy, service, "application"), service, environment)


def lease(service: str, environment: str) -> str:
    """Name of the Lease by which one deployment at a time drives an Application."""
    return f"hanbae-{service}-{environment}"


def project(policy: documents.Policy, environment: str) -> str:
    """Argo CD's AppProject of an environment: ``services-dev``."""
    return f"{policy.argocd.project}-{environment}"


def application_set(policy: documents.Policy, environment: str) -> str:
    """Argo CD's ApplicationSet of an environment: ``services-dev``, like its AppProject."""
    return project(policy, environment)


def namespace(policy: documents.Policy, service: str, environment: str) -> str:
    """The namespace of a service's objects in an environment: ``services-dev``."""
    named = policy.services.named.get(service)
    base = named.namespace if named is not None else None
    if base is None:
        base = next(
            (name for name, space in policy.namespaces.items() if service in space.services),
            policy.services.namespace,
        )
    return suffixed(policy, filled(base, service, environment), environment)


def spaces(
    policy: documents.Policy, services: Iterable[str], environment: str
) -> dict[str, list[str]]:
    """Namespace → those of some services that are in it in an environment."""
    spaces: dict[str, list[str]] = {}
    for service in services:
        spaces.setdefault(namespace(policy, service, environment), []).append(service)
    return spaces


def suffixed(policy: documents.Policy, base: str, environment: str) -> str:
    """A namespace of the policy as it is called in an environment."""
    return f"{base}{policy.environments[environment].namespace_suffix}"


def namespaces_of_services(policy: documents.Policy, environment: str) -> tuple[str, ...]:
    """Every namespace that a service of an environment may live in, each once.

    Where the namespace's template holds ``{service}``, those of the services that were located.
    """
    services = policy.services
    default = services.namespace
    located: tuple[str, ...] = ()
    if isinstance(services, service_paths.Located):
        located = (*services.folders, *services.chartless)
    if "{service}" in default:
        names = [namespace(policy, service, environment) for service in located]
    else:
        names = [suffixed(policy, filled(default, "", environment), environment)]
    names += [
        suffixed(policy, name, environment)
        for name, space in policy.namespaces.items()
        if space.services
    ]
    names += [
        namespace(policy, name, environment)
        for name, service in services.named.items()
        if service.namespace is not None
    ]
    return tuple(dict.fromkeys(names))


def namespaces(policy: documents.Policy, environment: str) -> frozenset[str]:
    """Every namespace of the policy in an environment, whether services live there or not."""
    others = (suffixed(policy, name, environment) for name in policy.namespaces)
    return frozenset((*namespaces_of_services(policy, environment), *others))


def migration_job(release_name: str, database: str, *, several: bool) -> str:
    """The migration Job: ``auth-service-migrate``, or ``…-migrate-identity-db`` with several databases.

    Object names allow no underscore (RFC 1123), which is why the database's are replaced.
    """
    if not several:
        return f"{release_name}-migrate"
    return f"{release_name}-migrate-{database.replace('_', '-')}"


# A path works out its text once, and the same few are asked for by every rule and every gate.
@lru_cache(maxsize=4096)
def _path(text: str) -> PurePosixPath:
    return PurePosixPath(text)


def chart(policy: documents.Policy, service: str) -> PurePosixPath:
    """The chart folder of a service, relative to the repository: ``services/auth/helm``."""
    return _path(service_paths.place(policy.services, service).chart)


def folder(policy: documents.Policy, service: str) -> PurePosixPath:
    """The folder of everything that is a service's own, relative to the repository: ``services/auth``."""
    return _path(service_paths.place(policy.services, service).own)


def around(policy: documents.Policy, service: str) -> PurePosixPath:
    """The folder in which the chart lies beside what else the service has; the chart's own where that is nothing."""
    return _path(service_paths.place(policy.services, service).around)


class ValuesFile(Struct, frozen=True):
    """One values file of a service in an environment.

    Attributes:
        path: The file, from the repository's root.
        inside: Its path in the chart's folder; empty where it lies outside of that.
        entry: What the policy writes, with its names filled in.
    """

    path: str
    inside: str
    entry: str


def values_templates(policy: documents.Policy, service: str, environment: str) -> tuple[str, ...]:
    """The policy's list of values files for a service in an environment, as it is written."""
    named = policy.services.named.get(service)
    if named is not None and named.values is not None:
        return named.values
    own = policy.environments[environment].values
    if own is not None:
        return (own,) if isinstance(own, str) else own
    common = policy.services.values
    return common if common is not None else ("values-{environment}.yaml",)


def values_sources(
    policy: documents.Policy, service: str, environment: str
) -> tuple[ValuesFile, ...]:
    """The values files of a service in an environment, in order: later ones win."""
    folder = str(chart(policy, service))
    own = release(policy, service, environment)
    return tuple(
        _values_file(folder, filled(template, service, environment, release=own))
        for template in values_templates(policy, service, environment)
    )


def values_path(chart_folder: str, entry: str) -> str:
    """Where a values file lies: a bare name, ``./`` and ``../`` count from the chart's folder, others from the root."""
    from_chart = "/" not in entry or entry.startswith(("./", "../"))
    return posixpath.normpath(
        folders.path(chart_folder, entry) if from_chart else entry.removeprefix("/")
    )


@lru_cache(maxsize=4096)
def _values_file(chart_folder: str, entry: str) -> ValuesFile:
    path = values_path(chart_folder, entry)
    lies_inside = folders.holds(chart_folder, path)
    return ValuesFile(path, folders.name(chart_folder, path) if lies_inside else "", entry)


def values_files(
    policy: documents.Policy, service: str, environment: str
) -> tuple[PurePosixPath, ...]:
    """The values files of a service in an environment, relative to the repository, in order: later ones win."""
    return tuple(_path(file.path) for file in values_sources(policy, service, environment))


def values_file(policy: documents.Policy, service: str, environment: str) -> PurePosixPath:
    """The values file that is an environment's own, relative to the repository: what is set for it is written there.

    That is the last one with the environment's name in it, else the last one; where the policy lists none, the chart's
    own, which Helm reads whether it is listed or not.
    """
    templates = values_templates(policy, service, environment)
    if not templates:
        return chart(policy, service) / CHART_VALUES
    own = [index for index, text in enumerate(templates) if "{environment}" in text]
    index = own[-1] if own else len(templates) - 1
    return values_files(policy, service, environment)[index]


def values_name(policy: documents.Policy, service: str, environment: str) -> str:
    """What an environment's own values file is called in sentences about its chart: its path in there, if any."""
    own = str(values_file(policy, service, environment))
    files = values_sources(policy, service, environment)
    if not files:
        return CHART_VALUES
    return next((file.inside for file in files if file.path == own and file.inside), own)


def migrations_folder(policy: documents.Policy, service: str) -> PurePosixPath:
    """The folder of a service's migrations in the repository: ``services/auth/migrations``."""
    named = policy.services.named.get(service)
    own = named.migrations if named is not None else None
    template = own if own is not None else policy.services.migrations
    if template is not None:
        return _path(filled(template, service, ""))
    place = service_paths.place(policy.services, service)
    if service_paths.has_no_chart(policy.services, service):
        return _path(place.own) / "migrations"
    # `charts/auth` of `charts/*` is the service's alone. A folder that is named for one service may
    # be shared, so what is not its chart lies beside it.
    if place.chart == place.own and place.star is not None:
        return _path(place.chart) / "migrations"
    return _path(place.chart).parent / "migrations"


def databases(policy: documents.Policy, service: str, environment: str) -> dict[str, str]:
    """What the policy calls the databases of a service: a Job, a container or a key → the database's name."""
    named = policy.services.named.get(service)
    if named is None:
        return {}
    return {
        database_key(policy, service, environment, template): database
        for template, database in named.databases.items()
    }


def database_key(policy: documents.Policy, service: str, environment: str, template: str) -> str:
    """A Job, a container or a key by which the policy names a database, as it is called in an environment."""
    own = release(policy, service, environment)
    return filled(template, service, environment, release=own)


def backups(policy: documents.Policy, service: str, environment: str) -> str:
    """The namespace of the database cluster whose backups count for a service."""
    point = policy.checklists.restore_point
    if point is None or point.namespace is None:
        return namespace(policy, service, environment)
    return suffixed(policy, point.namespace, environment)


def seconds(duration: documents.Duration) -> int:
    """A duration of the policy in seconds: ``1h30m`` is 5400."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"([0-9]+)([hms])", duration))


def rbac_folder(
    environment: documents.Environment, name: str, cluster: Literal["control", "workload"]
) -> str:
    """The folder of what hanbae may do in the cluster of Argo CD or of the pods; one where they are the same."""
    apart = environments.is_hub(environment)
    return f"{RBAC}/{name}/{cluster}" if apart else f"{RBAC}/{name}"
