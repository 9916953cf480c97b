"""The files of a clone that git was told not to look at: ``git update-index --assume-unchanged``, sparse checkouts.

What git would commit of such a file is what its index has, whatever lies in the working tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pygit2

# GIT_INDEX_ENTRY_VALID and GIT_INDEX_ENTRY_SKIP_WORKTREE of libgit2.
_ASSUME_VALID: Final = 0x8000
_SKIP_WORKTREE: Final = 1 << 14


def unwatched(repository: pygit2.Repository) -> Iterator[str]:
    """The paths, from the clone's root, of files whose changes git does not see."""
    from pygit2.ffi import C, ffi

    # pygit2's own entries have path, id and mode only; libgit2's have the flags.
    index = repository.index._index  # noqa: SLF001
    for number in range(C.git_index_entrycount(index)):
        entry = C.git_index_get_byindex(index, number)
        if entry.flags & _ASSUME_VALID or entry.flags_extended & _SKIP_WORKTREE:
            yield ffi.string(entry.path).decode("utf-8", "surrogateescape")
