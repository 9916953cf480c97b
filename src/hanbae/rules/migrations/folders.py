"""Names and numbers of the files that goose is given."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Iterator
from typing import Final

from hanbae import subjects
from hanbae.migrations import goose_files
from hanbae.rules import rulebook, views

_FILES: Final = "https://pressly.github.io/goose/documentation/annotations/"
_GOOSE: Final = "https://github.com/pressly/goose#hybrid-versioning"
_OTHER_LANGUAGES: Final = (".psql", ".pgsql", ".ddl")
_SAVED: Final = (".sql.", ".sql~", ".sql_")
"""What editors and merges append to the name of a file that they keep: ``00002_add.sql.orig``."""
_LARGEST_COUNTED: Final = 10**9
"""A version above is a time, and times have gaps."""


def by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """Names of files by folder, in order."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    return folders


def versions(names: Iterable[str]) -> dict[int, str]:
    """Version → name of the first file with it, for the files that goose would take."""
    by_version: dict[int, str] = {}
    for name in sorted(names):
        version = goose_files.version_of(name)
        if version is not None:
            by_version.setdefault(version, name)
    return by_version


@rulebook.of_service("MIG001", "error", source=_GOOSE, essential=True)
def without_number(service: views.Service) -> Iterator[rulebook.Hit]:
    """A ``.sql`` file without a version: goose's command ends with an error before it does anything."""
    for path in service.migration_files:
        name = path.rpartition("/")[2]
        if name.endswith(".sql") and goose_files.version_of(name) is None:
            yield rulebook.Hit(subjects.Place(path), {"file": name})


@rulebook.of_service("MIG002", "error", source=_GOOSE, essential=True)
def version_twice(service: views.Service) -> Iterator[rulebook.Hit]:
    """Two files of one version: goose's command panics."""
    for folder, names in by_folder(service.migration_files).items():
        first = versions(names)
        for name in sorted(names):
            version = goose_files.version_of(name)
            if version is not None and first[version] != name:
                facts = {"version": str(version), "file": name, "other": first[version]}
                yield rulebook.Hit(subjects.Place(f"{folder}/{name}"), facts)


@rulebook.of_service("MIG003", "warning", source=_GOOSE, essential=True)
def not_taken(service: views.Service) -> Iterator[rulebook.Hit]:
    """A file that looks like a migration and that goose does not see."""
    for path in service.migration_files:
        name = path.rpartition("/")[2]
        other_case = name.lower().endswith(".sql") and not name.endswith(".sql")
        if other_case or _looks_like_one(name.lower()):
            yield rulebook.Hit(subjects.Place(path), {"file": name})


def _looks_like_one(name: str) -> bool:
    rest = name.lstrip(string.digits)
    if rest == name or not rest.startswith(("_", "-")):
        return False
    return rest.endswith(_OTHER_LANGUAGES) or any(part in rest for part in _SAVED)


@rulebook.of_service(
    "MIG004", "error", source="https://github.com/pressly/goose#go-migrations", essential=True
)
def in_go(service: views.Service) -> Iterator[rulebook.Hit]:
    """A migration in Go, which goose's own program cannot run."""
    for path in service.migration_files:
        name = path.rpartition("/")[2]
        if goose_files.is_go(name):
            yield rulebook.Hit(subjects.Place(path), {"file": name})


@rulebook.of_service("MIG005", "notice", source=_GOOSE, essential=False)
def gap(service: views.Service) -> Iterator[rulebook.Hit]:
    """A number that is left out: a file that comes later with it would be out of order."""
    for folder, names in by_folder(service.migration_files).items():
        by_version = versions(names)
        deployed = [tree.files(folder) for tree in service.project.branches.values()]
        counted = [version for version in sorted(by_version) if version < _LARGEST_COUNTED]
        for before, after in itertools.pairwise(counted):
            # Where a branch has the later file already, its number cannot be changed any more.
            path = f"{folder}/{by_version[after]}"
            if after - before > 1 and not any(path in files for files in deployed):
                facts = {"before": by_version[before], "after": by_version[after]}
                yield rulebook.Hit(subjects.Place(path), facts)
        if counted and len(counted) < len(by_version):
            last = by_version[counted[-1]]
            facts = {"time": by_version[max(by_version)], "counted": last}
            yield rulebook.Hit(subjects.Place(f"{folder}/{last}"), facts, "mixed")
