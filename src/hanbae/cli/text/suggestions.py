"""Which name was probably meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_CLOSE: Final = 0.6
"""Similarity, from 0 to 1, from which a name counts as a slip of the keyboard; difflib's own default."""
_SHORTEST: Final = 2
"""Letters that an abbreviation needs."""
_NAMED_BY: Final = ("service", "environment", "command", "option", "format", "context", "remote")
"""Facts of a sentence that can hold the name that does not exist."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant; empty where none is close.

    A slip of the keyboard, an abbreviation (``prod`` for ``production``) and a longer form of it count as close.

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
    abbreviated = [existing for existing in spelled if _is_beginning(typed, existing)]
    if len(abbreviated) == 1:
        return spelled[abbreviated[0]]
    close = difflib.get_close_matches(typed, spelled, 1, _CLOSE)
    return spelled[close[0]] if close else ""


def _is_beginning(typed: str, existing: str) -> bool:
    """Whether one of the two is the beginning of the other."""
    shorter = min(len(typed), len(existing))
    return shorter >= _SHORTEST and (existing.startswith(typed) or typed.startswith(existing))


def of_facts(facts: Mapping[str, str]) -> str:
    """The nearest name for a sentence that says which name does not exist and, as ``known``, which do."""
    names = [name for name in facts.get("known", "").split(", ") if name not in {"", "-"}]
    for key in _NAMED_BY:
        if names and facts.get(key):
            return nearest(facts[key], names)
    return ""
