"""The options of a shell, which it is called with or sets itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hanbae import patterns
from hanbae.releases import shells
from hanbae.releases.shells import Word

_OPTIONS: Final = patterns.lazy(r"[-+][a-ce-fh-qs-zBCEHPT]+")
"""Several in one word: ``-ec``; none of bash's long ones that have an ``e`` in them, which it takes with one hyphen."""


def ends_at_failures(words: Iterable[Word], *, before: bool = False) -> bool:
    """Whether a shell ends where a command fails: ``-e``.

    Args:
        words: What it is called with, or its ``set``.
        before: What holds where they do not say it.
    """
    options = (shells.literal(word) or "" for word in words)
    for option in options:
        if not option.startswith(("-", "+")) or option == "--":
            break
        if not _OPTIONS.fullmatch(option):
            return False
        names = [next(options, "") for _ in range(option.count("o"))]
        if "e" in option or "errexit" in names:
            before = option.startswith("-")
    return before
