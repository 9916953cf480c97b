"""The files of one commit, read from git's objects and never from the working tree.

Whoever can push a branch decides what is in it, so nothing in a tree is taken at its word: links are followed here,
inside the tree and nowhere else.
Argo CD follows links inside the repository likewise and refuses those that leave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hanbae import errors, patterns, subjects
from hanbae.policy import clones
from hanbae.repository import ignore_patterns, index_entries, trees

if TYPE_CHECKING:
    import pygit2

MOST_FILES: Final = 500_000
"""Files of a folder that are listed at all; large repositories have some ten thousand."""
# As many as the kernel follows.
_LINKS: Final = 40
_LINK: Final = 0o120000
_SUBMODULE: Final = 0o160000

_OF_HEAD: Final = patterns.lazy(r"(?:HEAD|@)(?:$|[~^:@])")
_MARKS: Final = {_SUBMODULE: trees.SUBMODULE, _LINK: "link:"}

Parts = tuple[str, ...]


def refuse_bomb(tree: pygit2.Tree, sizes: dict[str, int] | None = None) -> None:
    """Refuse a tree of so many files that libgit2 would not come to an end, or to the end of the memory, with them.

    Trees that are met again are not counted anew, so this takes as long as there are different trees.

    Args:
        tree: The tree.
        sizes: Id of a tree → its files, of those that were counted before; those of this one are added.

    Raises:
        errors.FileFault: They are more than `MOST_FILES`.
    """
    sizes = {} if sizes is None else sizes
    # With a list instead of recursion: trees may hold each other to any depth.
    waiting: list[Any] = [tree]
    while waiting:
        tree = waiting[-1]
        below = [child for child in tree if child.type_str == "tree"]
        uncounted = [child for child in below if str(child.id) not in sizes]
        if uncounted:
            waiting += uncounted
            continue
        waiting.pop()
        size = len(tree) + sum(sizes[str(child.id)] for child in below)
        sizes[str(tree.id)] = size
        if size > MOST_FILES:
            place, limit = subjects.Place("."), str(MOST_FILES)
            raise errors.FileFault("repository.too-many-files", place=place, limit=limit)


def unknown(repository: pygit2.Repository, revision: str) -> errors.WrongUse:
    """What is said of a revision that a clone does not have.

    Args:
        repository: The clone.
        revision: What was asked for.
    """
    with clones.readable(repository.path):
        if repository.head_is_unborn and _OF_HEAD.match(revision):
            folder = str(Path(repository.workdir or repository.path))
            return errors.WrongUse("repository.no-commit", folder=folder)
        if repository.is_shallow:
            return errors.WrongUse("repository.no-revision-shallow", revision=revision)
    return errors.WrongUse("repository.no-revision", revision=revision)


class Revision:
    """One commit.

    Args:
        repository: The clone.
        commit: Its id, or any other name that git has for it.

    Attributes:
        commit: Its full id.

    Raises:
        errors.WrongUse: There is no such commit in the clone.
    """

    def __init__(self, repository: pygit2.Repository, commit: str) -> None:
        import pygit2

        try:
            resolved = repository.revparse_single(commit).peel(pygit2.Commit)
        except (KeyError, ValueError, OSError, pygit2.GitError) as error:
            raise unknown(repository, commit) from error
        self.commit = str(resolved.id)
        self._repository = repository
        with self._readable():
            self._tree = resolved.tree

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none, or a folder.

        Args:
            path: Relative to the repository's root, with ``/``.

        Raises:
            errors.FileFault: The way to it goes through a link that leaves the repository, or never ends; it is too
                large.
        """
        parts = self._parts(path)
        with self._readable():
            entry = self._find(parts)
            if entry is None and path in self._submodules:
                raise self._fault("repository.submodule", parts)
            if entry is None or entry.type_str != "blob":
                return None
            return self._content(entry, path)

    def folder(self, path: str) -> list[str]:
        """The names in a folder, sorted; empty if there is no such folder.

        Raises:
            errors.FileFault: As `read`.
        """
        parts = self._parts(path)
        with self._readable():
            entry = self._find(parts)
            if entry is None or entry.type_str != "tree":
                return []
            return sorted(child.name for child in entry)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder: path from the root → the id of its content; links count as themselves.

        Nothing is followed and nothing is read, so nothing can be refused; `read` is where links are looked at.
        """
        parts = self._parts(folder)
        with self._readable():
            return {
                path: f"{_MARKS.get(blob.filemode, '')}{blob.id}"
                for path, blob in self._blobs(parts)
            }

    @cached_property
    def _submodules(self) -> frozenset[str]:
        # Asked only where a path leads nowhere: what is below a submodule is in another repository.
        blobs = self._blobs(())
        return frozenset(path for path, blob in blobs if blob.filemode == _SUBMODULE)

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder: path from the root → what it says that it leads to."""
        parts = self._parts(folder)
        with self._readable():
            return {
                path: self._content(blob, path).decode("utf-8", "surrogateescape")
                for path, blob in self._blobs(parts)
                if blob.filemode == _LINK
            }

    def _blobs(self, folder: Parts) -> list[tuple[str, Any]]:
        """Every file, link and submodule below a folder, by path from the root.

        Raises:
            errors.FileFault: They are more than `MOST_FILES`: a dozen trees that hold each other several times are
                enough for more files than any disk has.
        """
        start = self._find(folder)
        if start is None or start.type_str != "tree":
            return []
        blobs: list[tuple[str, Any]] = []
        top = "/".join(folder)
        waiting = [(f"{top}/" if top else "", start)]
        while waiting:
            prefix, tree = waiting.pop()
            for child in tree:
                if child.type_str == "tree":
                    waiting.append((f"{prefix}{child.name}/", child))
                elif child.type_str == "blob" or child.filemode == _SUBMODULE:
                    blobs.append((f"{prefix}{child.name}", child))
            if len(blobs) + len(waiting) > MOST_FILES:
                place = subjects.Place(top or ".")
                limit = str(MOST_FILES)
                raise errors.FileFault("repository.too-many-files", place=place, limit=limit)
        return sorted(blobs, key=lambda entry: entry[0])

    def linked(self, path: str) -> str | None:
        """The folder that a link leads to, from the root; None for what is no link to a folder.

        Raises:
            errors.FileFault: The link leads out of the repository, or never ends.
        """
        parts = self._parts(path)
        with self._readable():
            parts, target = self._follow(parts, 0)
            return "/".join(parts) if target is not None and target.type_str == "tree" else None

    def stamp(self, path: str) -> str | None:
        """An id of what is in a file, or in everything below a folder, without reading it; empty if there is none.

        None where a link or a submodule is on the way, or is the file: then the id says too little.
        """
        entry: Any = self._tree
        parts = self._parts(path)
        with self._readable():
            for part in parts:
                if entry.type_str != "tree" or part not in entry:
                    return ""
                entry = entry[part]
                if entry.filemode in (_LINK, _SUBMODULE):
                    return None
            return str(entry.id)

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path, by the clone's own rules."""
        with self._readable():
            self._patterns.refuse_slow(path)
            return bool(self._repository.path_is_ignored(path))

    @cached_property
    def _patterns(self) -> ignore_patterns.IgnorePatterns:
        entries = index_entries.of(self._repository)
        return ignore_patterns.IgnorePatterns(self._repository, entries)

    def _readable(self) -> AbstractContextManager[None]:
        return clones.readable(self._repository.path)

    def _content(self, blob: Any, path: str) -> bytes:
        """A file's content; its size is asked for first, for libgit2 would load all of it."""
        _, size = self._repository.odb.read_header(blob.id)
        trees.refuse_large(size, path)
        clones.refuse_damaged(self._repository, str(blob.id))
        return bytes(blob.data)

    def _find(self, parts: Parts) -> Any:
        return self._follow(parts, 0)[1]

    def _parts(self, path: str) -> Parts:
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if path.startswith("/") or ".." in parts:
            message = f"not a path inside the repository: {path!r}"
            raise ValueError(message)
        return parts

    def _follow(self, parts: Parts, links: int) -> tuple[Parts, Any]:
        """Go down from the root as the kernel would, but with the root as the end of the world.

        Args:
            parts: Names from the root, ``..`` among them where they come from a link.
            links: How many links were followed so far.

        Returns:
            The real names from the root, and the object; None if there is none.
        """
        real: Parts = ()
        objects: list[Any] = [self._tree]
        for index, part in enumerate(parts):
            if part == "..":
                if not real:
                    raise self._fault("repository.link-out", parts)
                real, objects = real[:-1], objects[:-1]
                continue
            if objects[-1].type_str != "tree" or part not in objects[-1]:
                return real, None
            child = objects[-1][part]
            if child.filemode == _LINK:
                if links >= _LINKS:
                    raise self._fault("repository.endless-link", parts)
                content = self._content(child, "/".join((*real, part)))
                target = content.decode("utf-8", "surrogateescape")
                if target.startswith("/"):
                    raise self._fault("repository.link-out", (*real, part))
                onward = tuple(p for p in target.split("/") if p not in ("", "."))
                return self._follow((*real, *onward, *parts[index + 1 :]), links + 1)
            if child.filemode == _SUBMODULE:
                return real, None
            real, objects = (*real, part), [*objects, child]
        return real, objects[-1]

    def _fault(self, text_id: str, parts: Parts) -> errors.FileFault:
        place = subjects.Place("/".join(parts).encode("utf-8", "replace").decode())
        return errors.FileFault(text_id, place=place, revision=self.commit[:12])
