"""How the commits of two branches are related: where they part, what one has that the other has not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from hanbae import errors, excerpts
from hanbae.policy import clones
from hanbae.repository import revisions

if TYPE_CHECKING:
    import pygit2

MOST: Final = 5000
"""Commits that are looked at."""
_LONGEST: Final = 120


class Commit(Struct, frozen=True):
    """A commit, as lists show it.

    Attributes:
        id: Its full id.
        author: Its author's name.
        subject: The first line of its message.
        parents: Full ids.
    """

    id: str
    author: str
    subject: str
    parents: tuple[str, ...]


class Graph:
    """The commits of a clone.

    Args:
        root: The clone's top folder.

    Raises:
        hanbae.errors.WrongUse: It is no clone.
    """

    def __init__(self, root: Path) -> None:
        repository = clones.discover(root)
        if repository is None:
            raise errors.WrongUse("repository.none", folder=str(root))
        self._repository = repository

    def parting(self, first: str, second: str) -> str:
        """The newest commit that two have in common; empty where there is none."""
        with clones.readable(self._repository.path):
            base = self._repository.merge_base(first, second)
        return str(base) if base else ""  # libgit2 has none where they have nothing in common

    def between(self, newer: str, older: str = "") -> Iterator[Commit]:
        """The commits that one comes from and the other does not, the newest first; of very many the first ones.

        Args:
            newer: Full id.
            older: Full id; empty for a commit's whole history.
        """
        import pygit2

        with clones.readable(self._repository.path):
            walker = self._repository.walk(newer, pygit2.enums.SortMode.TOPOLOGICAL)
            if older:
                walker.hide(older)
            for number, commit in enumerate(walker):
                if number >= MOST:
                    return
                yield _shown(commit)

    def message(self, commit: str) -> str:
        """The message of a commit."""
        import pygit2

        with clones.readable(self._repository.path):
            return str(self._repository[commit].peel(pygit2.Commit).message)

    def mainline(self, commit: str) -> Iterator[Commit]:
        """A commit and what its branch was before it, merge by merge: always on by the first parent."""
        import pygit2

        with clones.readable(self._repository.path):
            for _ in range(MOST):
                entry = self._repository[commit].peel(pygit2.Commit)
                yield _shown(entry)
                if not entry.parent_ids:
                    return
                commit = str(entry.parent_ids[0])

    def files(self, commit: str) -> Mapping[str, tuple[str, int]]:
        """Every file of a commit: path → the id of its content and its mode; nothing of no commit.

        Raises:
            hanbae.errors.FileFault: They are too many.
        """
        import pygit2

        if not commit:
            return {}
        index = pygit2.Index()
        with clones.readable(self._repository.path):
            tree = self._repository[commit].peel(pygit2.Tree)
            revisions.refuse_bomb(tree)
            index.read_tree(tree)
            return {entry.path: (str(entry.id), int(entry.mode)) for entry in index}

    def contents(self, path: str, newer: str, older: str) -> frozenset[str]:
        """The ids of everything that a file has been in the commits between two."""
        return frozenset(self._entry(commit.id, path) for commit in self.between(newer, older)) - {
            ""
        }

    def touching(self, paths: Collection[str], newer: str, older: str) -> tuple[Commit, ...]:
        """The commits between two that change one of some files; merges bring in what others have changed."""
        return tuple(
            commit
            for commit in self.between(newer, older)
            if len(commit.parents) < 2  # noqa: PLR2004  two parents make a merge
            and any(self._changes(commit, path) for path in paths)
        )

    def _changes(self, commit: Commit, path: str) -> bool:
        before = self._entry(commit.parents[0], path) if commit.parents else ""
        return self._entry(commit.id, path) != before

    def _entry(self, commit: str, path: str) -> str:
        """The id of a file's content in a commit; empty where it is not there."""
        import pygit2

        tree = self._repository[commit].peel(pygit2.Tree)
        return str(tree[path].id) if path in tree else ""


def _shown(commit: pygit2.Commit) -> Commit:
    subject = (commit.message or "").strip().partition("\n")[0]
    return Commit(
        str(commit.id),
        excerpts.one_line(commit.author.name or "-", _LONGEST),
        excerpts.one_line(subject, _LONGEST),
        tuple(map(str, commit.parent_ids)),
    )
