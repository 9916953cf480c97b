"""The index of a clone in one walk: with what pygit2's own entries lack, and in a tenth of the time that they take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import pygit2

# GIT_INDEX_ENTRY_VALID and GIT_INDEX_ENTRY_SKIP_WORKTREE of libgit2.
_ASSUME_VALID: Final = 0x8000
_SKIP_WORKTREE: Final = 1 << 14


class Entry(NamedTuple):
    """An entry of an index.

    Attributes:
        path: From the clone's root.
        id: Of the content, in hexadecimal digits.
        mode: What it is: a file, a link, a submodule.
        is_watched: Whether git looks at the file; where it was told not to (``git update-index --assume-unchanged``,
            sparse checkouts), what it would commit is what the index has, whatever lies in the working tree.
    """

    path: str
    id: str
    mode: int
    is_watched: bool


def of(repository: pygit2.Repository) -> list[Entry]:
    """The entries, in the order of their paths."""
    from pygit2.ffi import C, ffi

    index = repository.index._index  # noqa: SLF001
    entries = []
    for number in range(C.git_index_entrycount(index)):
        entry = C.git_index_get_byindex(index, number)
        content = ffi.buffer(entry.id.id)[:].hex()
        unwatched = entry.flags & _ASSUME_VALID or entry.flags_extended & _SKIP_WORKTREE
        path = os.fsdecode(ffi.string(entry.path))
        entries.append(Entry(path, content, entry.mode, not unwatched))
    return entries
