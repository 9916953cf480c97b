"""Sealed values that stand in a chart's templates, found and replaced as text.

Before it is rendered a template is no YAML, so nothing can be said of its structure.
A sealed value needs none: it is too long and too random to stand anywhere by chance, so what is rendered is looked for
where it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hanbae import errors, subjects

_HEAD: Final = 16
"""Letters by which a value is looked for; the first line of one that is wrapped has them."""
_BETWEEN: Final = " \t\r\n\\"
"""What may stand inside a value: the ends of its lines, as YAML's block scalars and quotes have them."""
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_COMMENT: Final = re.compile(r"(?:^|\s)#")
_LONG: Final = re.compile(r"[A-Za-z0-9+/]{40}")


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
    result: list[tuple[int, int]] = []
    start = text.find(letters[:_HEAD]) if len(letters) >= _HEAD else -1
    while start >= 0:
        end = _end(text, start, letters)
        if end and text[start - 1 : start] not in _LETTERS and not _is_comment(text, start):
            result.append((start, end))
        start = text.find(letters[:_HEAD], end or start + 1)
    return result


def _end(text: str, start: int, letters: str) -> int:
    """Where a value ends that begins here; 0 where another text stands here."""
    index = start
    for letter in letters:
        while text[index : index + 1] in _BETWEEN and index > start and index < len(text):
            index += 1
        if text[index : index + 1] != letter:
            return 0
        index += 1
    return 0 if text[index : index + 1] in _LETTERS and index < len(text) else index


def _is_comment(text: str, start: int) -> bool:
    """Whether a place is in a comment of YAML's, or of a template's."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    opened = max(text.rfind("{{/*", 0, start), text.rfind("{{- /*", 0, start))
    closed = text.rfind("*/", 0, start)
    return bool(_COMMENT.search(line)) or opened > closed


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
    for (start, end), after in sorted(edits.items(), reverse=True):
        text = text[:start] + after + text[end:]
    return text
