"""Trees in memory: the files of a folder, of other folders over it, and of changes over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from hanbae.rules import casebook


class MemoryTree:
    """Files in memory, for rules and for whatever else reads a :class:`~hanbae.repository.trees.Tree`.

    Args:
        contents: Path → content.
        ignored: Paths that git would ignore.
    """

    def __init__(self, contents: Mapping[str, bytes], ignored: Iterable[str] = ()) -> None:
        self.contents = dict(sorted(contents.items()))
        self._ignored = frozenset(ignored)

    @classmethod
    def of(cls, *folders: Path, ignored: Iterable[str] = ()) -> MemoryTree:
        """The files of folders; those of later ones win."""
        contents: dict[str, bytes] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    contents[path.relative_to(folder).as_posix()] = path.read_bytes()
        return cls(contents, ignored)

    def changed(self, changes: Iterable[casebook.Change]) -> MemoryTree:
        """The same with changes."""
        contents = dict(self.contents)
        for change in changes:
            before = contents.pop(change.file, None)
            after = casebook.changed(None if before is None else before.decode(), change)
            if after is not None:
                contents[change.file] = after.encode()
        return MemoryTree(contents, self._ignored)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        start = f"{folder.rstrip('/')}/" if folder else ""
        return {
            path: hashlib.sha256(data).hexdigest()
            for path, data in self.contents.items()
            if path.startswith(start)
        }

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none."""
        return self.contents.get(path)

    def linked(self, path: str) -> str | None:
        """None: no link here leads to a folder."""
        del path
        return None

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""
        return path in self._ignored
