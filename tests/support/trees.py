"""Trees in memory: the files of a folder, of other folders over it, and of changes over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from hanbae.rules import casebook


class MemoryTree:
    """Files in memory, for rules and for whatever else reads a :class:`~hanbae.repository.trees.Tree`.

    Args:
        contents: Path → content.
        links: Path → where a symbolic link points.
    """

    def __init__(
        self, contents: Mapping[str, bytes], links: Mapping[str, str] | None = None
    ) -> None:
        self.contents = dict(sorted(contents.items()))
        self._links = dict(sorted((links or {}).items()))
        self._files: dict[str, Mapping[str, str]] = {}

    @classmethod
    def of(cls, *folders: Path) -> MemoryTree:
        """The files of folders; those of later ones win."""
        contents: dict[str, bytes] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    contents[path.relative_to(folder).as_posix()] = path.read_bytes()
        return cls(contents)

    def changed(self, changes: Iterable[casebook.Change]) -> MemoryTree:
        """The same with changes."""
        contents, links = dict(self.contents), dict(self._links)
        for change in changes:
            if change.link is not None:
                links[change.file] = change.link
                continue
            before = contents.pop(change.file, None)
            after = casebook.changed(None if before is None else before.decode(), change)
            if after is not None:
                contents[change.file] = after.encode()
        return MemoryTree(contents, links)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        # A rule asks for all files, and a repository of tests is asked by hundreds.
        if folder not in self._files:
            start = "" if folder in ("", ".") else f"{folder.rstrip('/')}/"
            digests = {
                path: _digest(data)
                for path, data in self.contents.items()
                if path.startswith(start)
            }
            self._files[folder] = MappingProxyType(digests)
        return self._files[folder]

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none."""
        return self.contents.get(path)

    def linked(self, path: str) -> str | None:
        """None: no link here leads to a folder."""
        del path
        return None

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path: of the patterns, those with a slash and ``*`` only."""
        patterns = self.contents.get(".gitignore", b"").decode().splitlines()
        return any(
            PurePosixPath(f"/{path}").match(f"/{pattern}") for pattern in patterns if "/" in pattern
        )

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        start = f"{folder.rstrip('/')}/" if folder else ""
        return {path: to for path, to in self._links.items() if path.startswith(start)}


@lru_cache(maxsize=50_000)
def _digest(data: bytes) -> str:
    """Trees that differ in one file share the bytes of all others."""
    return hashlib.sha256(data).hexdigest()
