"""Three-way merges of texts, by git's own algorithm and nothing of git's configuration.

What is merged never enters the user's clone: libgit2 wants objects, so they are in a repository that is gone
afterwards.
"""

from __future__ import annotations

import tempfile
from typing import Final

from msgspec import Struct

_OURS: Final = "<<<<<<<"
_THEIRS: Final = ">>>>>>>"


class Merged(Struct, frozen=True):
    """The outcome of a merge.

    Attributes:
        text: Both sides' changes; where they contradict each other both versions, between git's markers.
        conflicts: The lines at which such a place begins, counted from 1; none where everything fits.
    """

    text: str
    conflicts: tuple[int, ...] = ()


def merge(base: str, ours: str, theirs: str, *, names: tuple[str, str]) -> Merged | None:
    """Bring what changed between two texts into an edited copy of the first.

    Args:
        base: What both began from.
        ours: The edited copy; its line ends are kept.
        theirs: What the first has become.
        names: What the markers call the edited copy and the other.

    Returns:
        None where a text is not one that git merges, such as one with a zero byte.
    """
    import pygit2

    if "\0" in base + ours + theirs:
        return None
    # Otherwise an edited copy that was saved with Windows' line ends would differ in every line.
    if "\r\n" in ours:
        base, theirs = (text.replace("\n", "\r\n") for text in (_plain(base), _plain(theirs)))
    with tempfile.TemporaryDirectory(prefix="hanbae-merge-") as folder:
        repository = pygit2.init_repository(folder, bare=True)
        ancestor, our_entry, their_entry = (
            pygit2.IndexEntry(
                name, repository.create_blob(text.encode()), pygit2.enums.FileMode.BLOB
            )
            for name, text in zip(("base", *names), (base, ours, theirs), strict=True)
        )
        try:
            result = repository.merge_file_from_index(ancestor, our_entry, their_entry)
        except RuntimeError:  # pygit2 makes no text of an empty result
            return None
    if result.automergeable:
        return Merged(result.contents)
    return Merged(result.contents, markers(result.contents))


def markers(text: str) -> tuple[int, ...]:
    """The lines at which git's markers begin a conflict, counted from 1.

    Args:
        text: A text that was merged, now or by somebody before.
    """
    lines = text.split("\n")
    if not any(line.startswith(_THEIRS) for line in lines):
        return ()
    return tuple(number for number, line in enumerate(lines, 1) if line.startswith(_OURS))


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")
