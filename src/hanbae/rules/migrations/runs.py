"""When and under which name databases are migrated: by a Job of the deployment, and no two under one name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.policy import naming
from hanbae.releases import database_names, parts, tools
from hanbae.rules import rulebook, views

_HOOKS: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/"
_UNLOCKED: Final = frozenset({tools.GOOSE, "alembic", "django", tools.UNKNOWN})
"""Tools that do not wait for each other: two that run at once apply a migration twice, or half."""


@rulebook.of_release("MIG027", "error", source="docs/reference/hanbae.schema.json", essential=True)
def one_name(release: views.Release) -> Iterator[rulebook.Hit]:
    """Two Jobs of a release whose databases have, or were given, one name: a proof cannot tell them apart."""
    first: dict[str, parts.Migration] = {}
    named = naming.databases(release.policy, release.service.name, release.environment)
    jobs = [
        migration
        for migration in release.model.migrations
        if migration.job.kind == "Job" and migration.tool in tools.OF_GOOSE
    ]
    for migration in jobs:
        earlier = first.setdefault(migration.database, migration)
        if earlier is migration:
            continue
        facts = {"database": migration.database, "object": migration.part.object.label}
        facts["other"] = earlier.part.object.label
        if migration.named_by == "policy" and named:
            key = f"services.named.{release.service.name}.databases"
            yield rulebook.Hit(release.service.project.place(key), facts, "policy")
        else:
            yield rulebook.Hit(migration.part, facts)
    yield from _names_nothing(release.service)


@rulebook.of_release("MIG028", "warning", source=_HOOKS, essential=True)
def outside_of_the_deployment(release: views.Release) -> Iterator[rulebook.Hit]:
    """A migration that runs whenever a pod starts, or by a schedule, rather than once with the deployment."""
    for migration in release.model.migrations:
        facts = {"object": migration.part.object.label, "container": migration.container}
        facts |= {"tool": migration.tool, "database": migration.database}
        if migration.job.kind == "CronJob":
            yield rulebook.Hit(migration.part, facts, "schedule")
        elif migration.per_pod and migration.tool in _UNLOCKED:
            yield rulebook.Hit(migration.part, facts, "pods")
        elif migration.per_pod:
            yield rulebook.Hit(migration.part, facts, "locked", severity="notice")


def _names_nothing(service: views.Service) -> Iterator[rulebook.Hit]:
    """Names in the policy for databases that no Job, container or key of the service leads to."""
    named = service.policy.services.named.get(service.name)
    if named is None or service.unrendered:
        return
    candidates = {
        name
        for release in service.releases.values()
        for migration in release.model.migrations
        for name in database_names.candidates(migration)
    }
    for template, database in named.databases.items():
        filled = {
            naming.database_key(service.policy, service.name, environment, template)
            for environment in service.releases
        }
        if not filled & candidates:
            place = service.project.place(f"services.named.{service.name}.databases.{template}")
            facts = {"key": template, "database": database, "service": service.name}
            facts["known"] = ", ".join(sorted(candidates)) or "-"
            yield rulebook.Hit(place, facts, "nothing", severity="warning")
