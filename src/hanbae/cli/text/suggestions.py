"""Which name was probably meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_CLOSE: Final = 0.6
"""Similarity, from 0 to 1, from which a name counts as a slip of the keyboard; difflib's own default."""
_SHORTEST: Final = 2
"""Letters that an abbreviation needs."""
_NAMED_BY: Final = (
    "service",
    "environment",
    "command",
    "option",
    "choice",
    "format",
    "context",
    "remote",
    "item",
    "code",
    "database",
)
"""Facts of a sentence that can hold the name that does not exist."""
_OF_SENTENCES: Final = {
    "cluster.unknown-context": ("context", "contexts"),
    "migrations.no-database": ("database", "databases"),
    "rehearsal.no-such-database": ("database", "existing"),
}
"""Sentences whose list of what exists has another name than ``known``, with the fact that is to be among them."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant; empty where none is close.

    A slip of the keyboard, an abbreviation (``prod`` for ``production``) and a longer form of it count as close, and
    so does a path with it (``services/auth/``), which a shell completes.

    Args:
        name: What was typed.
        names: What exists.
    """
    import difflib

    # Reversed, so that of names that differ only in case the first one wins.
    spelled = {existing.casefold().lstrip("-"): existing for existing in reversed(list(names))}
    typed = name.casefold().lstrip("-")
    if typed in spelled:
        return spelled[typed]
    in_path = [part for part in typed.split("/") if part in spelled]
    if len(in_path) == 1:
        return spelled[in_path[0]]
    abbreviated = [existing for existing in spelled if _is_beginning(typed, existing)]
    if len(abbreviated) == 1:
        return spelled[abbreviated[0]]
    close = difflib.get_close_matches(typed, spelled, 1, _CLOSE)
    return spelled[close[0]] if close else ""


def _is_beginning(typed: str, existing: str) -> bool:
    """Whether one of the two is the beginning of the other."""
    shorter = min(len(typed), len(existing))
    return shorter >= _SHORTEST and (existing.startswith(typed) or typed.startswith(existing))


def of_text(text_id: str, facts: Mapping[str, str]) -> str:
    """The nearest name for a sentence that says which name does not exist and, as ``known``, which do."""
    naming, listing = _OF_SENTENCES.get(text_id, ("", "known"))
    names = [name for name in facts.get(listing, "").split(", ") if name not in {"", "-"}]
    for key in (naming,) if naming else _NAMED_BY:
        if names and facts.get(key):
            return nearest(facts[key], names)
    return ""
