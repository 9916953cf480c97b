"""What the migration Jobs of a release say of a service's files: their dialect, and folders that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.migrations import dialects
from hanbae.policy import folders
from hanbae.releases import parts, tools
from hanbae.rules import rulebook, views

_GOOSE: Final = "https://github.com/pressly/goose#usage"
_ROOT: Final = "migrations"


def dialect(service: views.Service, path: str) -> dialects.Dialect:
    """The dialect of a migration: what its own words give away, else the driver of the Job that runs its folder.

    Args:
        service: The service.
        path: The file, relative to the repository's root.
    """
    own = dialects.of_text(service.text(path) or "")
    if own is not None:
        return own
    folder = folders.name(service.migrations, path).rpartition("/")[0]
    by_folder = service.once(_by_folder)
    # A folder that no Job names is taken for what all Jobs agree on.
    candidates = by_folder.get(folder) or set().union(*by_folder.values())
    return next(iter(candidates)) if len(candidates) == 1 else "postgres"


def _by_folder(service: views.Service) -> dict[str, set[dialects.Dialect]]:
    """Folder below the service's migrations → the dialects of the Jobs that run it."""
    folders: dict[str, set[dialects.Dialect]] = {}
    for release in service.releases.values():
        for migration in goose(release):
            named = dialects.of_driver(migration.driver)
            if named is not None:
                folders.setdefault(_below(migration.folder) or "", set()).add(named)
    return folders


def goose(release: views.Release) -> tuple[parts.Migration, ...]:
    """The containers of a release that run goose, or hanbae's runner of it."""
    return tuple(
        migration for migration in release.model.migrations if migration.tool in tools.OF_GOOSE
    )


def _below(folder: str) -> str | None:
    """The part of a folder in an image that is below ``migrations``; None where it has no such part."""
    steps = [step for step in folder.split("/") if step not in ("", ".")]
    if _ROOT not in steps:
        return None
    # From the last of that name: `/migrations/auth/migrations/a` is `a`.
    return "/".join(steps[len(steps) - steps[::-1].index(_ROOT) :])


@rulebook.of_release("MIG025", "error", source=_GOOSE, essential=True)
def folder_not_there(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job that runs a folder of migrations which the repository does not have."""
    service = release.service
    if not service.migration_files:
        return  # they are in another repository
    declared = {entry.database.directory.strip("/") for entry in release.migrated if entry.declared}
    for migration in goose(release):
        below = _below(migration.folder)
        if below is None or below in declared:
            continue  # what the values declare is MIG015's
        folder = f"{service.migrations}/{below}".rstrip("/")
        files = (path for path in service.migration_files if path.endswith(".sql"))
        if not any(path.rpartition("/")[0] == folder for path in files):
            facts = {"object": migration.part.object.label, "folder": folder}
            container = migration.part.object.get(*migration.part.pointer, default={})
            field = "args" if container.get("args") else "command"
            part = views.On(migration.part.object, (*migration.part.pointer, field))
            yield rulebook.Hit(part, facts | {"path": migration.folder[:120]})
