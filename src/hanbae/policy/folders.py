"""Paths in a folder of the repository, which may be the repository itself: ``.``, where a chart is all there is."""

from __future__ import annotations

import bisect
import posixpath
from collections.abc import Sequence
from typing import Final

# What begins with `folder/` is sorted in front of `folder` and this character, and nothing else is
# between the two.
_AFTER_SLASH: Final = chr(ord("/") + 1)
ROOT: Final = "."
"""The repository's own folder."""


def is_root(folder: str) -> bool:
    """Whether a folder is the repository's own."""
    return folder in ("", ROOT)


def normal(written: object) -> str:
    """A folder as people write it, such as ``./helm/`` or nothing for the root, as it is compared."""
    return posixpath.normpath(str(written or ROOT).strip("/") or ROOT)


def path(folder: str, name: str) -> str:
    """The path of what is called `name` from a folder, from the repository's root."""
    if is_root(folder):
        return name
    return folder if name == ROOT else f"{folder}/{name}"


def holds(folder: str, path: str) -> bool:
    """Whether a path leads below a folder."""
    return is_root(folder) or path.startswith(f"{folder}/")


def below(folder: str, paths: Sequence[str]) -> Sequence[str]:
    """The paths below a folder, found without looking at all others.

    Args:
        folder: The folder.
        paths: Paths, sorted.
    """
    if is_root(folder):
        return paths
    first = bisect.bisect_left(paths, f"{folder}/")
    return paths[first : bisect.bisect_left(paths, f"{folder}{_AFTER_SLASH}", lo=first)]


def name(folder: str, path: str) -> str:
    """What a path below a folder is called from there."""
    return path if is_root(folder) else path[len(folder) + 1 :]
