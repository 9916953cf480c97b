"""The order of migrations across branches: what an environment has, as far as its branch tells.

goose remembers a version and nothing else.
A file that comes later with a lower number, or another file with the same number, is found only when it runs, in
production at the latest; the heads of the branches show it before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.migrations import scripts
from hanbae.repository import trees
from hanbae.rules import rulebook, views
from hanbae.rules.migrations import folders

_MISSING: Final = "https://github.com/pressly/goose/issues/523"
_CHECKSUM: Final = "https://github.com/pressly/goose/issues/288"


class Folder(Struct, frozen=True):
    """One folder of migrations, here and on an environment's branch.

    Attributes:
        path: The folder.
        here: Version → name of the file here.
        there: Version → name of the file on the branch.
    """

    path: str
    here: dict[int, str]
    there: dict[int, str]


def compared(release: views.Release) -> tuple[list[Folder], dict[str, str]]:
    """The folders that the environment's branch has, and the branch's files; nothing where no branch is known."""
    tree = release.service.project.branches.get(release.environment)
    if tree is None:
        return [], {}
    on_branch = dict(tree.files(release.service.migrations))
    if on_branch == release.service.migration_files:
        return [], {}
    own = folders.by_folder(release.service.migration_files)
    return [
        Folder(path, folders.versions(own.get(path, ())), folders.versions(names))
        for path, names in folders.by_folder(on_branch).items()
        if path in own
    ], on_branch


@rulebook.of_release("MIG011", "error", source=_MISSING, essential=True)
def out_of_order(release: views.Release) -> Iterator[rulebook.Hit]:
    """A new file whose version is lower than the highest that the environment has."""
    for folder in compared(release)[0]:
        highest = max(folder.there, default=0)
        for version, name in folder.here.items():
            if version < highest and version not in folder.there:
                facts = {"file": name, "highest": folder.there[highest]}
                yield rulebook.Hit(subjects.Place(f"{folder.path}/{name}"), facts)


@rulebook.of_release("MIG012", "error", source=_CHECKSUM, essential=True)
def edited(release: views.Release) -> Iterator[rulebook.Hit]:
    """A version that the environment has with other statements."""
    differing, on_branch = compared(release)
    service = release.service
    for folder in differing:
        for version, name in folder.here.items():
            if version not in folder.there:
                continue
            other = f"{folder.path}/{folder.there[version]}"
            path = f"{folder.path}/{name}"
            if on_branch[other] == service.migration_files[path]:
                continue
            if _does_other(service, path, other, release):
                facts = {"file": name, "version": str(version), "other": folder.there[version]}
                variant = "" if name == folder.there[version] else "taken"
                yield rulebook.Hit(subjects.Place(path), facts, variant)


def _does_other(service: views.Service, path: str, other: str, release: views.Release) -> bool:
    """Whether the Up parts differ: comments, line ends and the way back may change."""
    ours = service.parsed_migrations.get(path)
    theirs = _parsed(service.project.branches[release.environment], other)
    # Of what goose could not read nobody can say that it does the same.
    if ours is None or theirs is None or ours.fault or theirs.fault:
        return True
    return _texts(ours) != _texts(theirs) or ours.transaction != theirs.transaction


def _parsed(tree: trees.Tree, path: str) -> scripts.Parsed | None:
    try:
        data = tree.read(path)
    except errors.FileFault:
        return None
    return None if data is None else scripts.read(data)


def _texts(parsed: scripts.Parsed) -> list[str]:
    return [" ".join(statement.text.split()) for statement in parsed.up]


@rulebook.of_release("MIG013", "warning", source=_MISSING, essential=True)
def missing_here(release: views.Release) -> Iterator[rulebook.Hit]:
    """A migration that the environment's branch has and that is not here."""
    for folder in compared(release)[0]:
        highest = max(folder.here, default=0)
        for version, name in folder.there.items():
            if version not in folder.here:
                place = subjects.Place(folder.path)
                if version < highest:
                    facts = {"file": name, "highest": folder.here[highest]}
                    yield rulebook.Hit(place, facts)
                else:
                    yield rulebook.Hit(place, {"file": name}, "behind", severity="notice")
