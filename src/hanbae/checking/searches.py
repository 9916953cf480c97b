"""How far the former commits of a branch were searched, and what was left out."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Unsearched(Struct, frozen=True):
    """Contents of a file in which nothing was looked for.

    Attributes:
        file: The file, relative to the policy's folder.
        commit: The commit that brought the first of them.
        reason: Why: too large, or no text.
    """

    file: str
    commit: str
    reason: Literal["large", "no-text"]


class Searched(Struct, frozen=True):
    """How far former commits were searched.

    Attributes:
        commits: How many there are in the clone.
        shallow: Whether the clone does not hold all of them, so that there may be more.
        revision: The branch, or whatever was searched; others may have commits of their own.
        unsearched: What was left out, as far as it is listed.
        others: How many more contents were.
        ended: The commit behind which nothing was searched, because more was found than is kept; empty for none.
    """

    commits: int
    shallow: bool
    revision: str = "HEAD"
    unsearched: tuple[Unsearched, ...] = ()
    others: int = 0
    ended: str = ""
