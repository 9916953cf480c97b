"""Migrations that say after which other one they may take something away: ``-- hanbae: contract after 00007``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.migrations import contracts, goose_files
from hanbae.rules import rulebook, views
from hanbae.rules.migrations import branches, folders, locking

_PATTERN: Final = "https://martinfowler.com/bliki/ParallelChange.html"


def is_announced(service: views.Service, path: str) -> bool:
    """Whether a file names an earlier migration of its folder that it waits for."""
    mark = contracts.mark(service.text(path) or "")
    return mark is not None and _is_earlier(service, path, mark)


def _is_earlier(service: views.Service, path: str, mark: contracts.Mark) -> bool:
    folder, _, name = path.rpartition("/")
    own = goose_files.version_of(name)
    names = folders.by_folder(service.migration_files).get(folder, [])
    return own is not None and mark.after in folders.versions(names) and (mark.after or 0) < own


@rulebook.of_service("MIG036", "warning", source=_PATTERN, essential=False)
def announces_nothing(service: views.Service) -> Iterator[rulebook.Hit]:
    """A file that is marked as a contract step and takes nothing away, or that waits for nothing."""
    for path, statements in service.once(locking.ups).items():
        mark = contracts.mark(service.text(path) or "")
        if mark is None:
            continue
        place = subjects.Place(path, mark.line)
        if mark.after is None:
            yield rulebook.Hit(place, variant="nothing-named")
        elif not _is_earlier(service, path, mark):
            yield rulebook.Hit(place, {"after": str(mark.after)}, "not-earlier")
        elif not contracts.removals(statements):
            yield rulebook.Hit(place, variant="takes-nothing")


@rulebook.of_release("MIG037", "warning", source=_PATTERN, essential=False)
def too_early(release: views.Release) -> Iterator[rulebook.Hit]:
    """A contract step that an environment would get together with the step that it waits for."""
    for folder in branches.compared(release)[0]:
        for version, name in folder.here.items():
            path = f"{folder.path}/{name}"
            if version in folder.there or not is_announced(release.service, path):
                continue
            mark = contracts.mark(release.service.text(path) or "")
            if mark is not None and mark.after is not None and mark.after not in folder.there:
                facts = {"after": folder.here[mark.after], "file": name}
                facts |= {"environment": release.environment, "service": release.service.name}
                yield rulebook.Hit(subjects.Place(path, mark.line), facts)
