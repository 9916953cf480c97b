"""The rows of the policy document's tables; their heads are in its template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hanbae.handbook import facts, markdown
from hanbae.handbook.telling import Telling
from hanbae.policy import documents, naming


def rows(entries: Iterator[Sequence[str]], *, columns: int) -> str:
    """A table's rows, each once: environments that differ in what no column shows have the same.

    Without any, one of dashes, because a table without rows is no table.
    """
    return markdown.table(list(dict.fromkeys(map(tuple, entries))) or [["-"] * columns])


def environments(telling: Telling) -> str:
    """The environments, as the policy document's first table has them."""
    return rows(_environments(telling), columns=6)


def _environments(telling: Telling) -> Iterator[Sequence[str]]:
    for name, settings in telling.policy.environments.items():
        is_local = settings.platform == "compose"
        called = telling.words.get(name)
        yield (
            f"{called} ({markdown.code(name)})" if called else markdown.code(name),
            "Docker Compose" if is_local else "Kubernetes",
            trigger(telling, settings),
            "-" if is_local else telling.words[f"sync-{settings.sync}"],
            "-" if is_local else {"argocd": "Argo CD", "helm": "Helm"}[settings.engine],
            markdown.code(settings.overlay or ""),
        )


def trigger(telling: Telling, settings: documents.Environment) -> str:
    """What starts a deployment to an environment."""
    if settings.trigger == "manual" or settings.branch is None:
        return telling.words["manual"]
    return f"{telling.words['push']} {markdown.prose(settings.branch)}"


def namespaces(telling: Telling) -> str:
    """The namespaces with their purposes, and what they are called in each environment."""
    return rows(_namespaces(telling), columns=4)


def _namespaces(telling: Telling) -> Iterator[Sequence[str]]:
    policy = telling.policy
    for name, space in policy.namespaces.items():
        names = dict.fromkeys(naming.suffixed(policy, name, other) for other in telling.clusters)
        inside = [
            service.name
            for service in telling.services
            if any(telling.namespace(service.name, other) in names for other in telling.clusters)
        ]
        purpose = ", ".join(map(markdown.prose, space.purpose)) or "-"
        yield markdown.code(name), purpose, markdown.codes(inside), markdown.codes(names)


def services(telling: Telling) -> str:
    """The services with the names of their objects."""
    return rows(_services(telling), columns=7)


def _services(telling: Telling) -> Iterator[Sequence[str]]:
    policy = telling.policy
    for service in telling.services:
        name = service.name
        yield (
            markdown.code(name),
            markdown.codes(
                unique(naming.release(policy, name, other) for other in telling.clusters)
            ),
            markdown.codes(
                unique(naming.application(policy, name, other) for other in telling.clusters)
            ),
            markdown.codes(over(service, "workloads")),
            markdown.codes(over(service, "services")),
            markdown.codes(over(service, "others")),
            markdown.codes(over(service, "images")),
        )


def over(service: facts.Service, field: str) -> tuple[str, ...]:
    """Names of a kind in any of a service's environments, each once."""
    return unique(
        name for _, deployed in service.deployments() for name in getattr(deployed, field)
    )


def unique(names: Iterator[str]) -> tuple[str, ...]:
    """Names in their order, each once."""
    return tuple(dict.fromkeys(names))


def secrets(telling: Telling) -> str:
    """The Secrets that services read, with their keys and where they are."""
    return rows(_secrets(telling), columns=4)


def _secrets(telling: Telling) -> Iterator[Sequence[str]]:
    for service in telling.services:
        for name, keys in keys_of(service).items():
            places = unique(
                telling.namespace(service.name, environment)
                for environment, deployed in service.deployments()
                if name in deployed.secrets
            )
            yield (
                markdown.code(service.name),
                markdown.code(name),
                markdown.codes(keys),
                markdown.codes(places),
            )


def keys_of(service: facts.Service) -> dict[str, tuple[str, ...]]:
    """The Secrets of a service with their keys, in whatever environment."""
    keys: dict[str, dict[str, None]] = {}
    for _, deployed in service.deployments():
        for name, names in deployed.secrets.items():
            keys.setdefault(name, {}).update(dict.fromkeys(names))
    return {name: tuple(names) for name, names in keys.items()}


def migrations(telling: Telling) -> str:
    """What migrates the databases, each once where it is the same in all environments."""
    return rows(_migrations(telling), columns=8)


def _migrations(telling: Telling) -> Iterator[Sequence[str]]:
    for service, _, migration in telling.migrations():
        attempts = "-" if migration.backoff_limit is None else str(migration.backoff_limit + 1)
        address = f"{migration.secret}/{migration.key}" if migration.secret else ""
        yield (
            markdown.code(service.name),
            markdown.code(migration.database),
            markdown.code(f"{migration.kind.lower()}/{migration.job}"),
            markdown.code(migration.phase),
            str(migration.wave),
            attempts,
            markdown.code(address),
            markdown.code(migration.table),
        )


def several(telling: Telling) -> str:
    """Services with more than one database: in which order these are migrated."""
    parts = []
    for service in telling.services:
        longest = max(
            (deployed.migrations for _, deployed in service.deployments()), key=len, default=()
        )
        if len(longest) > 1:
            parts.append(_in_order(telling, service, longest))
    return "\n\n".join(parts) or telling.none("no-several")


def _in_order(
    telling: Telling, service: facts.Service, migrations_: Sequence[facts.Migration]
) -> str:
    head = (telling.words["step"], telling.words["database"], "Sync Wave", "Job")
    listed = [
        (
            str(step),
            markdown.code(migration.database),
            str(migration.wave),
            markdown.code(migration.job),
        )
        for step, migration in enumerate(migrations_, 1)
    ]
    return "\n".join(
        [f"{markdown.code(service.name)}:", "", markdown.table([head, ["---"] * 4, *listed])]
    )
