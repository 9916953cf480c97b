"""Sealed values that stand in a chart's templates, found and replaced as text.

Before it is rendered a template is no YAML, so nothing can be said of its structure.
A sealed value needs none: it is too long and too random to stand anywhere by chance, so what is rendered is looked for
where it was written.
"""

from __future__ import annotations

import bisect
import re
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from hanbae import errors, patterns, subjects

_HEAD: Final = 16
"""Letters by which a value is looked for; the first line of one that is wrapped has them."""
_BETWEEN: Final = " \t\r\n\\"
"""What may stand inside a value: the ends of its lines, as YAML's block scalars and quotes have them."""
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_COMMENT: Final = patterns.lazy(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_OPENED: Final = patterns.lazy(r"\{\{(?:- )?/\*")
_LONG: Final = patterns.lazy(r"[A-Za-z0-9+/]{40}")


def may_hold(text: str) -> bool:
    """Whether a template makes a SealedSecret whose values are not all in ``sealedSecret`` of the chart's values."""
    return "SealedSecret" in text and ("sealedSecret" not in text or bool(_LONG.search(text)))


def spans(text: str, ciphertext: str) -> list[tuple[int, int]]:
    """Where a sealed value stands in a text, whole and in no comment, whatever lines it is wrapped into.

    Args:
        text: A template.
        ciphertext: The value as it is rendered.
    """
    letters = "".join(ciphertext.split())
    if len(letters) < _HEAD or letters[:_HEAD] not in text:
        return []
    joined, places = _joined(text)
    result: list[tuple[int, int]] = []
    index = joined.find(letters)
    while index >= 0:
        start, end = places[index], places[index + len(letters) - 1] + 1
        # Part of a longer value would be another value.
        is_whole = not {text[start - 1 : start], text[end : end + 1]} & _LETTERS
        if is_whole and not _is_comment(text, start):
            result.append((start, end))
        index = joined.find(letters, index + (len(letters) if is_whole else 1))
    return result


@lru_cache(maxsize=4)  # a text is searched for one value after the other
def _joined(text: str) -> tuple[str, Sequence[int]]:
    """A text without what may stand inside a value, and where each of its letters is."""
    # An array, because a list has an object for each of a megabyte's letters.
    places = array("L", (index for index, letter in enumerate(text) if letter not in _BETWEEN))
    return text.translate(dict.fromkeys(map(ord, _BETWEEN))), places


def _is_comment(text: str, start: int) -> bool:
    """Whether a place is in a comment of YAML's, or of a template's."""
    for comments in _comments(text):
        index = bisect.bisect_right(comments, (start, len(text))) - 1
        if index >= 0 and start < comments[index][1]:
            return True
    return False


@lru_cache(maxsize=4)
def _comments(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where the comments of YAML's are, and those of templates."""
    of_templates: list[tuple[int, int]] = []
    opened = _OPENED.search(text)
    while opened:
        end = text.find("*/", opened.end())
        of_templates.append((opened.start(), end if end >= 0 else len(text)))
        opened = _OPENED.search(text, end) if end >= 0 else None
    return [match.span() for match in _COMMENT.finditer(text)], of_templates


def place(text: str, path: str, key: str) -> subjects.Place:
    """The line on which a template makes the value of a key; the template itself where that cannot be told."""
    fallback = subjects.Place(path)
    for number, line in enumerate(text.split("\n"), 1):
        name, colon, _ = line.strip().partition(":")
        if colon and name.strip("'\"- ") == key:
            return subjects.Place(path, number)
        if colon and name.strip() == "encryptedData" and not fallback.line:
            fallback = subjects.Place(path, number)
    return fallback


def spliced(text: str, path: str, values: Iterable[tuple[str, str, str]]) -> str:
    """A template with sealed values replaced, and every other character as it was.

    Args:
        text: The template.
        path: What places call it.
        values: Key, the value as it is, and the value as it will be.

    Raises:
        errors.Refused: A value does not stand there any more: somebody has sealed another one meanwhile.
    """
    edits: dict[tuple[int, int], str] = {}
    for key, before, after in values:
        places = spans(text, before)
        if not places:
            raise errors.Refused("seal.changed-meanwhile", place=place(text, path, key), key=key)
        edits |= dict.fromkeys(places, after)
    # From the end, so that the places in front stay where they are.
    for (start, end), after in sorted(edits.items(), reverse=True):
        text = text[:start] + after + text[end:]
    return text
