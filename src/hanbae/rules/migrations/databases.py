"""The databases that the values declare, against the folders of migrations and the policy's waves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae import errors
from hanbae.migrations import declared_databases
from hanbae.policy import folders
from hanbae.rules import rulebook, views

_POLICY: Final = "deployment-policy.ko.md, Identity Service Multi-DB Migrations"
_CHECKLIST: Final = "deployment-policy.ko.md, 배포 체크리스트"
_FAULTS: Final = {
    "migrations.not-a-mapping": "form",
    "migrations.not-a-list": "form",
    "migrations.database-without-name": "name",
    "migrations.database-twice": "twice",
    "migrations.folder-outside": "folder",
}
_PODS: Final = 0
"""The wave of what is no hook and says nothing."""


@rulebook.of_release("MIG014", "error", source="docs/reference/policy.md", essential=False)
def not_the_contract(release: views.Release) -> Iterator[rulebook.Hit]:
    """Databases that are declared in a way that nobody understands."""
    wave = release.policy.migrations.wave
    try:
        declared_databases.declared(release.values, release.service.name, wave=wave)
    except errors.FileFault as fault:
        facts = {name: str(value)[:80] for name, value in fault.text.facts.items()}
        place = release.value_place("migration", "databases")
        yield rulebook.Hit(place, facts, _FAULTS.get(fault.text.id, "form"))


def _has_files(service: views.Service, directory: str = "") -> bool:
    folder = f"{service.migrations}/{directory}".rstrip("/")
    return any(
        path.endswith(".sql")
        and folders.holds(folder, path)
        and "/" not in folders.name(folder, path)
        for path in service.migration_files
    )


@rulebook.of_release("MIG015", "error", source=_POLICY, essential=True)
def without_files(release: views.Release) -> Iterator[rulebook.Hit]:
    """A declared database without migrations: goose ends with an error, and so does the sync.

    What only a Job shows may have its files in another repository; a folder that is missing beside others is MIG025's.
    """
    for database in (entry.database for entry in release.migrated if entry.declared):
        if not _has_files(release.service, database.directory):
            folder = f"{release.service.migrations}/{database.directory}".rstrip("/")
            facts = {"database": database.name, "folder": folder}
            yield rulebook.Hit(_entry(release, database), facts)


def _entry(release: views.Release, database: declared_databases.Database) -> Any:
    """Where a database is declared."""
    entries = release.value("migration", "databases")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("name") == database.name:
            return release.value_place("migration", "databases", index)
    return release.value_place("migration", "enabled")


@rulebook.of_release("MIG016", "warning", source=_POLICY, essential=False)
def undeclared(release: views.Release) -> Iterator[rulebook.Hit]:
    """A folder of migrations that no declared database has: its files are never run."""
    if not release.databases:
        return
    folder = release.service.migrations
    used = {database.directory.strip("/") for database in release.databases}
    holding = {
        folders.name(folder, path).rpartition("/")[0]
        for path in release.service.migration_files
        if path.endswith(".sql")
    }
    for folder in sorted(holding - used):
        place = release.value_place("migration", "databases")
        facts = {"folder": f"{release.service.migrations}/{folder}".rstrip("/")}
        yield rulebook.Hit(place, facts)


@rulebook.of_release("MIG017", "error", source=_CHECKLIST, essential=False)
def not_enabled(release: views.Release) -> Iterator[rulebook.Hit]:
    """A service with migrations that an environment does not run."""
    migration = release.value("migration", default={})
    if not isinstance(migration, dict) or migration.get("enabled"):
        return
    if "enabled" not in migration and release.model.migrations:
        return  # a chart of others, with Jobs of its own
    if any(path.endswith(".sql") for path in release.service.migration_files):
        variant = "" if "enabled" in migration else "absent"
        place = release.value_place("migration", "enabled")
        yield rulebook.Hit(place, {"folder": release.service.migrations}, variant)


@rulebook.of_release("MIG018", "error", source=_POLICY, essential=False)
def waves(release: views.Release) -> Iterator[rulebook.Hit]:
    """Waves in which the databases are not migrated as the policy says: after the secret, one by one, before pods."""
    entries = release.value("migration", "databases")
    listed = [
        (index, entry["wave"])
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and type(entry.get("wave")) is int
    ]
    if not release.databases or not listed:
        return
    policy = release.policy
    before: int | None = None
    for index, wave in listed:
        facts = {"wave": str(wave), "secret": str(policy.secrets.wave)}
        place = release.value_place("migration", "databases", index, "wave")
        if wave >= _PODS:
            yield rulebook.Hit(place, facts, "late")
        elif wave <= policy.secrets.wave:
            yield rulebook.Hit(place, facts, "early")
        elif before is not None and wave <= before:
            variant = "same" if wave == before else "order"
            yield rulebook.Hit(place, {**facts, "before": str(before)}, variant)
        elif index == 0 and wave != policy.migrations.wave:
            first = str(policy.migrations.wave)
            yield rulebook.Hit(place, {**facts, "first": first}, "first", severity="warning")
        before = wave
