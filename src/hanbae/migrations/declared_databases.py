"""Which databases a service migrates, as its chart's values declare them.

The values are the one source: the chart makes a Job of each entry, the plan a proof of each, and both read
the defaults here described (a service without a list has one database, named after itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, subjects

_DEFAULT_KEY: Final = "DATABASE_URL"


class Database(Struct, frozen=True):
    """One database of a service.

    Attributes:
        name: Its name, as in ``identity_db``.
        url_key: The key of its URL in the service's Secret.
        directory: Folder of its files below ``migrations/``; empty for directly there.
        wave: Sync wave of its Job; databases are migrated in ascending order.
    """

    name: str
    url_key: str
    directory: str
    wave: int


def are_declared(values: Mapping[str, Any]) -> bool:
    """Whether values say themselves what the service migrates, as the policy's charts do."""
    return isinstance(values.get("migration"), Mapping)


def declared(
    values: Mapping[str, Any], service: str, *, wave: int, file: str = ""
) -> tuple[Database, ...]:
    """The databases that the values declare, in the order in which they are migrated.

    Args:
        values: The merged values of the chart.
        service: The service's name.
        wave: The policy's first wave, for entries that name none.
        file: The values file, for faults.

    Raises:
        hanbae.errors.FileFault: ``migration.databases`` is not what the chart contract says.
    """
    migration = values.get("migration") or {}
    if not isinstance(migration, Mapping):
        raise _fault("migrations.not-a-mapping", file, key="migration")
    if not migration.get("enabled"):
        return ()
    entries = migration.get("databases") or []
    if not isinstance(entries, list):
        raise _fault("migrations.not-a-list", file, key="migration.databases")
    if not entries:
        return (Database(f"{service}_db".replace("-", "_"), _DEFAULT_KEY, "", wave),)
    databases = [_entry(entry, index, wave, file) for index, entry in enumerate(entries)]
    for field in ("name", "directory"):
        names = [getattr(database, field) for database in databases]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise _fault("migrations.database-twice", file, field=field, name=double)
    return tuple(sorted(databases, key=lambda database: database.wave))


def _entry(entry: object, index: int, wave: int, file: str) -> Database:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise _fault("migrations.database-without-name", file, index=str(index))
    name = entry["name"]
    directory = str(entry.get("dir") or "")
    if directory.startswith("/") or ".." in directory.split("/"):
        raise _fault("migrations.folder-outside", file, name=name, folder=directory)
    own_wave = entry.get("wave")
    return Database(
        name,
        str(entry.get("urlKey") or _DEFAULT_KEY),
        directory,
        # An entry without a wave comes behind those before it, one after the other.
        own_wave if isinstance(own_wave, int) else wave + index,
    )


def _fault(text_id: str, file: str, **facts: str) -> errors.FileFault:
    return errors.FileFault(text_id, place=subjects.Place(file) if file else None, **facts)
