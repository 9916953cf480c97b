"""Patterns over paths of a repository, as the policy writes them: ``charts/legacy``, ``services/*/helm``, ``**/*.sql``.

A branch may have written both the pattern and the paths, so none becomes a regular expression: within a part of a path
only the last star is tried again, and over the parts the work is their numbers multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

_ANY_PARTS: Final = "**"

Token = TypeVar("Token")


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern is that of a path, or of a folder that it is in.

    Args:
        pattern: Parts between slashes: ``*`` is any text in a part, ``?`` one letter, and ``**`` any number of parts.
        path: Relative to the repository's root, with slashes.
    """
    return _matches(pattern.strip("/"), path)


@lru_cache(maxsize=4096)
def _matches(pattern: str, path: str) -> bool:
    parts = pattern.split("/")
    # All positions that the pattern may have reached are followed at once: to try one after the
    # other takes ever longer with each `**`.
    states = _with_skipped(parts, {0})
    for part in path.split("/"):
        states = _with_skipped(parts, set(_advanced(parts, states, part)))
        # The pattern is used up: what is left of the path lies below the folder that it has matched.
        if len(parts) in states:
            return True
    return False


def _with_skipped(parts: list[str], states: set[int]) -> set[int]:
    """The positions, with those behind a ``**`` that stands for no part; a last one stands for one at least."""
    complete = set(states)
    for position, part in enumerate(parts[:-1]):
        if position in complete and part == _ANY_PARTS:
            complete.add(position + 1)
    return complete


def _advanced(parts: list[str], states: set[int], part: str) -> list[int]:
    """The positions in the pattern after one more part of the path."""
    positions = []
    for state in states:
        if state >= len(parts):
            continue
        if parts[state] == _ANY_PARTS:
            positions += [state, *([state + 1] if state == len(parts) - 1 else [])]
        elif part_matches(parts[state], part):
            positions.append(state + 1)
    return positions


def part_matches(pattern: str, text: str) -> bool:
    """Whether a text without slashes is what a pattern with ``*`` and ``?`` says."""
    return wildcards_match(
        pattern, text, is_star="*".__eq__, takes=lambda token, letter: token in ("?", letter)
    )


def wildcards_match(
    pattern: Sequence[Token],
    text: str,
    *,
    is_star: Callable[[Token], bool],
    takes: Callable[[Token, str], bool],
) -> bool:
    """Whether a text is what a pattern says, in time that is at most the product of their lengths.

    Args:
        pattern: The tokens of the pattern.
        text: The text.
        is_star: Whether a token stands for any number of letters.
        takes: Whether another token stands for a letter.
    """
    place = position = resumed = 0
    star = -1
    while position < len(text):
        if place < len(pattern) and is_star(pattern[place]):
            star, resumed = place, position
            place += 1
        elif place < len(pattern) and takes(pattern[place], text[position]):
            place += 1
            position += 1
        elif star >= 0:
            # Only the last star may take more: whatever an earlier one took, this one could take as well.
            resumed += 1
            position, place = resumed, star + 1
        else:
            return False
    return all(is_star(token) for token in pattern[place:])
