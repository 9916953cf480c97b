"""Which databases a release migrates: those that its values declare, and those that its Jobs are seen to migrate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae.migrations import declared_databases
from hanbae.policy import naming
from hanbae.releases import parts, reading, tools
from hanbae.releases.objects import Object

_ROOT: Final = "migrations"


class Migrated(Struct, frozen=True):
    """A database of a release.

    Attributes:
        database: Its name, key, folder below the service's migrations, and wave.
        job: The name of its Job: the rendered one's, else that of the chart contract.
        migration: What migrates it; None where nothing is seen to.
        declared: Whether the values declare it.
        contract: The name that its Job has by the chart contract; empty where the values do not declare it.
    """

    database: declared_databases.Database
    job: str
    migration: parts.Migration | None
    declared: bool
    contract: str = ""


def release(
    objects: Sequence[Object],
    declared: Sequence[declared_databases.Database],
    *,
    service: str,
    namespace: str,
    name: str,
    values: Mapping[str, Any],
    names: Mapping[str, str],
) -> parts.Release:
    """A release whose values may declare databases.

    Args:
        objects: Its objects as they were rendered.
        declared: The databases that its values declare.
        service: The service.
        namespace: Where its objects go that name no namespace.
        name: Name of the release.
        values: The merged values of its chart.
        names: What the policy calls its databases, as of :func:`hanbae.policy.naming.databases`.
    """
    overrides = [
        reading.Override(
            database.name,
            database.url_key,
            naming.migration_job(name, database.name, several=len(declared) > 1),
        )
        for database in declared
    ]
    return reading.of(
        objects,
        service=service,
        namespace=namespace,
        name=name,
        values=values,
        overrides=overrides,
        names=names,
    )


def of(
    model: parts.Release,
    declared: Sequence[declared_databases.Database],
    values: Mapping[str, Any],
    files: Iterable[str],
) -> tuple[Migrated, ...]:
    """The databases of a release in the order in which they are migrated.

    Args:
        model: The release.
        declared: The databases that the values declare.
        values: The merged values of its chart.
        files: The service's files of migrations, relative to their folder.
    """
    several = len(declared) > 1
    # Reversed, so that of two migrations of one database the one that runs first is kept.
    by_name = {migration.database: migration for migration in reversed(model.migrations)}
    entries: list[Migrated] = []
    for database in declared:
        job = naming.migration_job(model.name, database.name, several=several)
        migration = by_name.get(database.name) or _renamed(model, job, database.url_key)
        if migration is None and not _is_listed(values) and model.migrations:
            # This is the one database that `databases.declared` makes up where `enabled` stands alone.
            # The chart is somebody else's: of the migration Jobs that it renders, none is the one of
            # the chart contract.
            continue
        if migration is not None:
            # The policy may call it otherwise, and everything else knows it by the name that the release has.
            database = msgspec.structs.replace(database, name=migration.database)  # noqa: PLW2901
        runs = migration.job.name if migration else job
        entries.append(Migrated(database, runs, migration, declared=True, contract=job))
    covered = {entry.migration.order for entry in entries if entry.migration is not None}
    below = tuple(files)
    for migration in model.migrations:
        if migration.order in covered or migration.tool not in tools.OF_GOOSE:
            continue
        key = migration.address.key if migration.address else ""
        folder = directory(migration.folder, below)
        database = declared_databases.Database(migration.database, key, folder, migration.wave)
        entries.append(Migrated(database, migration.job.name, migration, declared=False))
    return tuple(sorted(entries, key=lambda entry: entry.database.wave))


def _renamed(model: parts.Release, job: str, key: str) -> parts.Migration | None:
    """The migration of a declared database that the policy calls otherwise."""
    named = [migration for migration in model.migrations if migration.named_by == "policy"]
    by_job = [migration for migration in named if migration.job.name == job]
    by_key = [
        migration for migration in named if migration.address and migration.address.key == key
    ]
    return next(iter(by_job or by_key), None)


def directory(folder: str, files: Iterable[str]) -> str:
    """The folder below the service's migrations whose files a folder of an image has; empty for all of it.

    Args:
        folder: The folder as goose is given it, such as ``/app/migrations/identity``.
        files: The service's files of migrations, relative to their folder.
    """
    steps = [part for part in folder.split("/") if part not in ("", ".")]
    folders = {path.rpartition("/")[0] for path in files}
    # The longest end that is a folder of the repository: an image may keep the files below any
    # folder, so `/app/migrations/identity` is tried as `app/migrations/identity`, then without one
    # folder after the other.
    for start in range(len(steps)):
        tail = "/".join(steps[start:])
        if tail in folders:
            return tail
    if "" in folders or _ROOT in steps[-1:]:
        return ""
    return steps[-1] if steps else ""


def _is_listed(values: Mapping[str, Any]) -> bool:
    """Whether the values name databases themselves."""
    migration = values.get("migration")
    return isinstance(migration, Mapping) and bool(migration.get("databases"))
