"""A tree as it was read: each file once, and whether it still was the one that is listed.

A listing is of a moment, and an editor may save a file before it is read. What comes of that must not be kept under the
id that the listing has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hanbae.repository import trees


class Readings:
    """A tree that reads each file and follows each link once.

    Args:
        tree: The tree.

    Attributes:
        unlisted: The files that were read and are not what their ids in the listing say, with the digests of what was
            read: those that were saved since, links, and those that git converts when it checks them out.
    """

    def __init__(self, tree: trees.Tree) -> None:
        self._tree = tree
        # Nothing else is written to while it is read.
        self._ids = tree.files() if isinstance(tree, trees.WorkingTree) else None
        self._contents: dict[str, bytes | None] = {}
        self._targets: dict[str, str | None] = {}
        self.unlisted: dict[str, str] = {}

    @property
    def commit(self) -> str:
        """The commit that the files are of; empty for a working tree."""
        return trees.commit_of(self._tree)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        return self._tree.files(folder)

    def linked(self, path: str) -> str | None:
        """The folder that a link leads to; see :class:`~hanbae.repository.trees.Tree`."""
        if path not in self._targets:
            self._targets[path] = self._tree.linked(path)
        return self._targets[path]

    def read(self, path: str) -> bytes | None:
        """The content of a file; see :class:`~hanbae.repository.trees.Tree`."""
        if path not in self._contents:
            data = self._contents[path] = self._tree.read(path)
            if self._ids is not None and data is not None and trees.id_of(data) != self._ids[path]:
                self.unlisted[path] = digest(data)
        return self._contents[path]

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""
        return self._tree.ignored(path)

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        return self._tree.links(folder)


def digest(data: bytes) -> str:
    """What tells a content from another one, whatever git makes of it."""
    return hashlib.sha256(data).hexdigest()
