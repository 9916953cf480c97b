"""The files that a check reads: those of a commit, or those that would be committed now.

A working tree has files that git does not: ``values.yaml`` above all, which is ignored on purpose.
Argo CD never sees them, so a check must not either.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from hanbae import errors, subjects

if TYPE_CHECKING:
    import pygit2

LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes of one file that a check looks into; the largest Secret, sealed, is about 2 MiB."""

_SUBMODULE: Final = 0o160000
_LINK: Final = 0o120000


class Tree(Protocol):
    """Files by path from the repository's root, with ``/``."""

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder: path from the root → an id of its content, equal only for equal content."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none.

        Raises:
            hanbae.errors.FileFault: It is too large, or a link leads out of the repository.
        """

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""

    def links(self) -> Mapping[str, str]:
        """The symbolic links among the files: path → where the link points, as it is written."""


class WorkingTree:
    """What git would commit of a folder: tracked files as they are now, and untracked ones that are not ignored.

    Args:
        root: The folder; it may be a clone's root, a folder in one, or no clone at all.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._perhaps_links: set[str] = set()
        self._repository, self._prefix = _clone(self.root)
        self._files = self._listed()

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`Tree`."""
        if not folder:
            return self._files
        start = folder.rstrip("/") + "/"
        return {path: each for path, each in self._files.items() if path.startswith(start)}

    def read(self, path: str) -> bytes | None:
        """The content of a file; see :class:`Tree`."""
        if path not in self._files:
            return None
        target = self.root / path
        place = subjects.Place(path)
        try:
            if not target.resolve().is_relative_to(self.root):
                raise errors.FileFault("repository.link-out", place=place, revision="-")
            with target.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise errors.FileFault("repository.unreadable", place=place, reason=reason) from error
        if len(data) > LARGEST_FILE:
            limit = str(LARGEST_FILE // 1024)
            raise errors.FileFault("repository.file-too-large", place=place, limit=limit)
        return data

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""
        if self._repository is None:
            return False
        return bool(self._repository.path_is_ignored(self._prefix + path))

    def links(self) -> Mapping[str, str]:
        """The symbolic links among the files; see :class:`Tree`."""
        found = {}
        for path in self._perhaps_links & self._files.keys():
            with contextlib.suppress(OSError):  # it is no link any more
                found[path] = (self.root / path).readlink().as_posix()
        return dict(sorted(found.items()))

    def _listed(self) -> dict[str, str]:
        if self._repository is None:
            self._perhaps_links = {
                str(Path(folder, name).relative_to(self.root))
                for folder, folders, names in os.walk(self.root)
                if _without_git(folders)
                for name in names
                if Path(folder, name).is_symlink()
            }
            return {
                str(Path(folder, name).relative_to(self.root)): _stamp(Path(folder, name))
                for folder, folders, names in os.walk(self.root)
                if _without_git(folders)
                for name in names
            }
        import pygit2

        gone = pygit2.enums.FileStatus.WT_DELETED
        quiet = pygit2.enums.FileStatus.IGNORED
        index = self._repository.index
        found = {
            entry.path: str(entry.id)
            for entry in index
            if entry.path.startswith(self._prefix) and entry.mode != _SUBMODULE
        }
        cut = len(self._prefix)
        # An unchanged file is a link when the index says so; whether a changed one is, only the file says.
        links = {entry.path for entry in index if entry.mode == _LINK}
        root = Path(self._repository.workdir)
        changed = self._repository.status(untracked_files="all")
        for path, status in changed.items():
            if not path.startswith(self._prefix) or status & quiet or path.endswith("/"):
                continue
            if status & gone or not (root / path).exists():
                found.pop(path, None)
            else:
                found[path] = _stamp(root / path)
        self._perhaps_links = {path[cut:] for path in links | changed.keys()}
        return {path[cut:]: each for path, each in sorted(found.items())}


def _clone(root: Path) -> tuple[pygit2.Repository | None, str]:
    """The clone that a folder is in, and the folder's path in it with a ``/`` at its end."""
    import pygit2

    where = pygit2.discover_repository(str(root))
    if where is None:
        return None, ""
    repository = pygit2.Repository(where)
    if repository.is_bare or repository.workdir is None:
        return None, ""
    relative = root.relative_to(Path(repository.workdir).resolve())
    return repository, "" if relative == Path() else f"{relative.as_posix()}/"


def _without_git(folders: list[str]) -> bool:
    folders[:] = sorted(name for name in folders if name != ".git")
    return True


def _stamp(path: Path) -> str:
    """An id of a changed file's content: git's own, so that committing it changes nothing."""
    import pygit2

    try:
        if path.is_symlink():
            return f"link:{path.readlink()}"
        return str(pygit2.hashfile(str(path)))
    except (OSError, pygit2.GitError):
        return "unreadable"
