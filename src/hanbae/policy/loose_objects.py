"""Objects in files of their own that end too early: libgit2 reads on for ever in one, and nobody can interrupt it.

Git renames a file into its place when it is whole, so one that is cut off is of a bad disk or a broken copy.
Packs are not looked at: libgit2 knows where an object in a pack has to end.
"""

from __future__ import annotations

import os
import re
import string
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

_HEADER: Final = 64
"""Bytes within which libgit2 wants the header: the kind, a space, the size in decimal digits and a NUL."""
# The first byte of a zlib stream: DEFLATE with a window of at most 32 KiB.
_METHOD: Final = 0x8F
_DEFLATE: Final = 0x08
_LEAST: Final = 2
"""Bytes by which zlib's format is known."""
_FIRST: Final = 4096
"""Bytes that are read of each file: room for a larger piece takes longer to get than most objects take to read."""
_PIECE: Final = 1024 * 1024
_DEEPEST: Final = 5
"""How many clones may borrow from each other in a row, as in git."""


def damaged(git: str) -> Path | None:
    """The first commit, tag or folder of a clone whose file is cut off; None where all are whole.

    Contents of files are not among them, which are many and large: :func:`is_damaged` is for whoever reads one.

    Args:
        git: The clone's ``.git``.
    """
    for folder in _folders(Path(git)):
        for entry in _loose(folder):
            if not _is_whole(entry.path, *_stamp(entry.stat()), contents=False):
                return Path(entry.path)
    return None


def is_damaged(git: str, name: str) -> bool:
    """Whether an object has a file of its own which is cut off.

    Args:
        git: The clone's ``.git``.
        name: The object's full id.
    """
    for folder in _folders(Path(git)):
        path = folder / name[:2] / name[2:]
        try:
            status = path.stat()
        except OSError:
            continue
        return not _is_whole(str(path), *_stamp(status), contents=True)
    return False


def _folders(git: Path) -> Iterator[Path]:
    """The folders of objects: the clone's own, for a linked working tree its clone's, and those that are borrowed."""
    common = _lines(git / "commondir")
    waiting = [((git / common[0].rstrip() if common else git) / "objects", 0)]
    while waiting:
        folder, depth = waiting.pop()
        yield folder
        if depth < _DEEPEST:
            borrowed = _lines(folder / "info/alternates")
            waiting += [(folder / line, depth + 1) for line in borrowed if not line.startswith("#")]


def _lines(file: Path) -> list[str]:
    """The lines of a file that are not empty, as libgit2 divides them: a path may have any other blank in it."""
    try:
        with file.open("rb") as stream:
            return [*filter(None, re.split("[\r\n]+", os.fsdecode(stream.read(_PIECE))))]
    except (OSError, ValueError):
        return []


def _loose(folder: Path) -> Iterator[os.DirEntry[str]]:
    digits = set(string.hexdigits)
    for group in _entries(folder):
        if len(group.name) == 2 and digits.issuperset(group.name):  # noqa: PLR2004  as git has it
            yield from (entry for entry in _entries(group.path) if entry.is_file())


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (OSError, ValueError):  # what cannot be listed cannot be read by libgit2 either
        return []


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=65536)  # a clone is opened several times in a run
def _is_whole(path: str, size: int, changed: int, *, contents: bool) -> bool:
    """Whether as much comes out of a file as libgit2 waits for; a content is left alone unless it is asked for."""
    del size, changed  # only what the answer is kept under
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _ends(file, contents=contents)
        finally:
            os.close(file)
    except (OSError, zlib.error):
        return True  # libgit2 says what is wrong with it


def _ends(file: int, *, contents: bool) -> bool:
    """The same of an open file."""
    data = os.read(file, _FIRST)
    if not _is_deflated(data):
        return len(data) < _LEAST
    inflating = zlib.decompressobj()
    head = inflating.decompress(data, _HEADER)
    if head.startswith(b"blob ") and not contents:
        return True
    if len(head) < _HEADER:
        head += inflating.decompress(os.read(file, _PIECE), _HEADER - len(head))
    expected, length = _expected(head), len(head)
    while length < expected and not inflating.eof:
        # Piece by piece on both sides: a few kilobytes may inflate to gigabytes.
        data = inflating.unconsumed_tail or os.read(file, _PIECE)
        piece = inflating.decompress(data, _PIECE)
        if not data and not piece:
            return False
        length += len(piece)
    return True


def _is_deflated(data: bytes) -> bool:
    """Whether it begins as zlib's format does; what does not libgit2 takes for a format that git has length up."""
    return (
        len(data) >= _LEAST and data[0] & _METHOD == _DEFLATE and not int.from_bytes(data[:2]) % 31
    )


def _expected(head: bytes) -> int:
    """How many bytes libgit2 waits for: header and content, or only the header where it is none."""
    header, nul, _ = head.partition(b"\0")
    digits = header.partition(b" ")[2].strip()
    return len(header) + 1 + int(digits) if nul and digits.isdigit() else _HEADER
