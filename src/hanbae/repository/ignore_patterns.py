"""Patterns of ``.gitignore`` and ``.gitattributes`` over which libgit2 takes minutes, refused before it reads them.

libgit2 (1.9) tries each star of a pattern at every place again when what comes after it does not fit, so the work is
the number of ways to place the stars; git itself has mended that.
A branch brings both the patterns and the names that they are held against.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from math import comb, prod
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from hanbae import errors, files, subjects
from hanbae.policy import boundaries, clones
from hanbae.repository import index_entries

if TYPE_CHECKING:
    import pygit2

NAMES: Final = (".gitattributes", ".gitignore")
_ATTRIBUTES: Final = NAMES[0]
_LARGEST: Final = 1024 * 1024
"""Bytes of one such file; the longest collections of patterns have some 30 KiB."""
_MOST_TRIES: Final = 20_000_000
"""Ways to place the stars of all patterns over one path: a fraction of a second."""
_MOST_IN_ALL: Final = 25 * _MOST_TRIES
_LONGEST_NAME: Final = 64
_DEEPEST: Final = 16
"""What names of untracked files are taken to have at most, where no tracked one has more."""


class _Pattern(Struct, frozen=True):
    """A pattern in which more than one star may have to be placed again.

    Attributes:
        place: Where it stands.
        stars: How many there are in each part between slashes, without one at the part's end.
        folders: How many parts stand for any number of folders.
    """

    place: subjects.Place
    stars: tuple[int, ...]
    folders: int

    def tries(self, longest: int, depth: int) -> int:
        """How many ways there are to place the stars, over a path with these names."""
        # Each star wants a letter for itself, so more stars than half a name has letters are no more ways.
        within = prod(comb(longest, min(count, longest // 2)) for count in self.stars)
        return within * comb(depth + self.folders, self.folders)


class IgnorePatterns:
    """The slow ones among the patterns that the clone's own files bring.

    Args:
        repository: The clone.
        entries: Its index.

    Raises:
        errors.FileFault: A file of patterns is larger than any is.
    """

    def __init__(
        self, repository: pygit2.Repository, entries: Iterable[index_entries.Entry]
    ) -> None:
        self._patterns = tuple(_patterns(repository, entries))
        self._left = _MOST_IN_ALL

    def refuse_slow(self, path: str) -> None:
        """Refuse to ask libgit2 about a path over which the patterns take too long.

        Args:
            path: From the clone's root.

        Raises:
            errors.FileFault: They do, at the slowest pattern's place.
        """
        if self._patterns:
            names = path.split("/")
            self._left -= self._refuse(max(map(_length, names)), len(names), self._left)

    def refuse_slow_over(self, paths: Iterable[str]) -> None:
        """Refuse to have libgit2 look for files that are not tracked, where that takes too long.

        Args:
            paths: The tracked ones, from the clone's root, whose names tell how long those of others are.

        Raises:
            errors.FileFault: It does, at the slowest pattern's place.
        """
        if self._patterns:
            longest, depth = _LONGEST_NAME, _DEEPEST
            for path in paths:
                names = path.split("/")
                longest, depth = max(longest, *map(_length, names)), max(depth, len(names))
            self._refuse(longest, depth, _MOST_TRIES)

    def _refuse(self, longest: int, depth: int, budget: int) -> int:
        tries = [pattern.tries(longest, depth) for pattern in self._patterns]
        if (together := sum(tries)) > min(budget, _MOST_TRIES):
            slowest = self._patterns[tries.index(max(tries))]
            raise errors.FileFault("repository.slow-pattern", place=slowest.place)
        return together


def _length(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def _patterns(
    repository: pygit2.Repository, entries: Iterable[index_entries.Entry]
) -> Iterator[_Pattern]:
    root = Path(repository.workdir)
    for path, blob, *_ in entries:
        if path.endswith(NAMES) and path.rpartition("/")[2] in NAMES:
            for content in _contents(repository, root, path, blob):
                yield from _slow(path, content)


def _slow(path: str, content: bytes) -> Iterator[_Pattern]:
    attributes = path.endswith(_ATTRIBUTES)
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        # Most have one star, which takes as long as the path is.
        if line.count(b"*") > 1:
            stars, folders = _stars(line.split()[0] if attributes else line)
            if sum(stars) + folders > 1:
                yield _Pattern(subjects.Place(path, number), stars, folders)


def _contents(repository: pygit2.Repository, root: Path, path: str, blob: str) -> Iterator[bytes]:
    """What libgit2 reads: the file where there is one; of attributes also what the index has, wherever the file is."""
    target = boundaries.inside(root.resolve(), root / path)
    try:
        # Path.exists raises in a folder that may not be entered, up to Python 3.13.
        if target is not None and os.path.exists(target):  # noqa: PTH110
            if not target.is_file():  # such as a named pipe, in which libgit2 would wait for ever
                raise errors.FileFault("values.not-a-file", place=subjects.Place(path))
            yield _bounded(path, files.ordinary(target, most=_LARGEST))
    except OSError as error:
        place, reason = subjects.Place(path), files.reason(error)
        raise errors.FileFault("repository.unreadable", place=place, reason=reason) from error
    if path.endswith(_ATTRIBUTES):
        clones.refuse_damaged(repository, blob)
        size = repository.odb.read_header(blob)[1]
        yield _bounded(path, bytes(repository.odb.read(blob)[1]) if size <= _LARGEST else None)


def _bounded(path: str, data: bytes | None) -> bytes:
    if data is None:
        place, limit = subjects.Place(path), str(_LARGEST // 1024)
        raise errors.FileFault("repository.file-too-large", place=place, limit=limit)
    return data


def _stars(pattern: bytes) -> tuple[tuple[int, ...], int]:
    """How many stars of each part may be placed again, and how many parts stand for folders.

    One at the end of a part is not: it takes the rest of the name. A class of letters may hold a star, which then
    counts for nothing; it is counted all the same.
    """
    if pattern.startswith(b"#"):
        return (), 0
    parts = pattern.strip().removeprefix(b"!").strip(b"/").split(b"/")
    if len(parts) == 1:  # it is about names, and two stars are one
        return (_placed(parts[0]),), 0
    folders = sum(part == b"**" for part in parts[:-1])
    return tuple(_placed(part) for part in parts if part != b"**"), folders


def _placed(part: bytes) -> int:
    pieces = [piece for piece in part.split(b"*")[1:] if piece]
    return len(pieces)
