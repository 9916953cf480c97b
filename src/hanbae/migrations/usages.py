"""Where source code still names a table or a column: by its words, because hanbae reads no programming language."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import contracts

_CODE: Final = frozenset(
    (  # noqa: SIM905  a list of words
        ".c .cc .clj .cpp .cs .dart .ex .exs .go .graphql .hs .java .js .jsx .kt .kts .ml .mjs .php .pl .prisma .py "
        ".rb .rs .scala .sql .swift .ts .tsx .vue"
    ).split()
)
_TESTS: Final = patterns.lazy(r"(?:^|[/_.-])(?:tests?|specs?|testdata|__tests__)(?:[/_.-]|$)")
_MOST_FILES: Final = 5000
_LARGEST: Final = 512 * 1024
_MOST_BYTES: Final = 64 * 1024 * 1024


class Usage(Struct, frozen=True):
    """A line that names it.

    Attributes:
        path: The file.
        line: The line.
    """

    path: str
    line: int


def is_code(path: str) -> bool:
    """Whether a file may be a part of the program; tests are none."""
    return PurePosixPath(path).suffix in _CODE and not _TESTS.search(path)


def of(
    removal: contracts.Removal, paths: Iterable[str], read: Callable[[str], bytes | None]
) -> Usage | None:
    """The first line that names a column in a file that names its table too, or a table.

    Args:
        removal: What is looked for.
        paths: The program's files.
        read: Reads one.
    """
    remaining = _MOST_BYTES
    for path in list(paths)[:_MOST_FILES]:
        data = read(path)
        if data is None or len(data) > _LARGEST:
            continue
        remaining -= len(data)
        if remaining < 0:
            return None
        line = _line(data.decode("utf-8", "replace"), removal)
        if line:
            return Usage(path, line)
    return None


def _line(text: str, removal: contracts.Removal) -> int:
    names = [removal.table, *([removal.column] if removal.column else [])]
    positions = [_word(text, name) for name in names]
    # A file that names the column and not its table may mean another table's.
    return 0 if min(positions) < 0 else text.count("\n", 0, positions[-1]) + 1


def _word(text: str, name: str) -> int:
    """Where a name stands as a word of its own; -1 for nowhere."""
    position = text.find(name)
    while position >= 0:
        before, after = (
            text[position - 1 : position],
            text[position + len(name) : position + len(name) + 1],
        )
        if not (_is_part(before) or _is_part(after)):
            return position
        position = text.find(name, position + 1)
    return -1


def _is_part(letter: str) -> bool:
    return letter.isalnum() or letter == "_"
