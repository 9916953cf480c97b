r"""The variables of the environment that goose puts into SQL between ``ENVSUB ON`` and ``ENVSUB OFF``.

goose (v3.27) takes each line by itself, before it looks for a ``;``: ``$NAME``, ``${NAME}``, ``${NAME:-otherwise}`` and
``${NAME-otherwise}``, ``${NAME?complaint}``, ``${NAME:offset:length}``; ``$$`` and ``\$`` stand for a dollar.
A ``$`` before anything else is an error, which a function's body with ``$1`` or ``$body$`` is full of.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hanbae import patterns

_DEEPEST: Final = 50
"""Levels of ``${A:-${B:-…}}``; goose has no bound, and nobody writes so many."""
_NUMBER: Final = patterns.lazy(r"[+-]?0*([0-9]{1,19})")
_BITS: Final = 63
"""Of a number without its sign: goose refuses more, and Python's own bound is no error of a file."""


class UnreadableError(Exception):
    """A ``$`` that begins nothing that goose knows, or a variable that must be set and is not."""


class Substituted(Struct, frozen=True):
    """A line with its variables.

    Attributes:
        text: What goose goes on with.
        names: The variables that stand in it, in their order.
    """

    text: str
    names: tuple[str, ...] = ()


def substituted(line: str, environment: Mapping[str, str] | None = None) -> Substituted:
    """A line as goose makes it.

    Args:
        line: One line of a file.
        environment: The variables that goose has; None where nobody knows: then each stays as it is written.

    Raises:
        UnreadableError: goose refuses the line.
    """
    if "$" not in line and "\\" not in line:
        return Substituted(line)
    reader = _Reader(line, environment)
    text = reader.text("", 0)
    return Substituted(text, tuple(dict.fromkeys(reader.names)))


class _Reader:
    """Reads one line from left to right."""

    def __init__(self, line: str, environment: Mapping[str, str] | None) -> None:
        self._line, self._environment, self._position = line, environment, 0
        self.names: list[str] = []

    def text(self, stop: str, depth: int) -> str:
        """What stands before a letter, or before the end; with what was put in."""
        pieces: list[str] = []
        line = self._line
        while (position := self._position) < len(line) and (not stop or line[position] != stop):
            pair = line[position : position + 2]
            if pair in ("\\\\", "\\$", "$$", "$("):
                self._position += 2
                pieces.append(pair if pair in ("\\\\", "$(") else "$")
            elif line[position] == "$" and position < len(line) - 1:
                pieces.append(self._expansion(depth))
            else:
                end = position + 1
                while end < len(line) and line[end] not in "$\\" and line[end] != stop:
                    end += 1
                self._position = end
                pieces.append(line[position:end])
        return "".join(pieces)

    def _expansion(self, depth: int) -> str:
        begin = self._position
        self._position += 1
        braces = self._line[self._position] == "{"
        self._position += braces
        name = self._name()
        value = self._value(name) if not braces or self._took("}") else self._braced(name, depth)
        return self._line[begin : self._position] if self._environment is None else value

    def _braced(self, name: str, depth: int) -> str:
        """``:-…``, ``-…``, ``?…`` or ``:offset:length``, and the brace behind it."""
        if depth >= _DEEPEST:
            raise UnreadableError
        if self._took(":-"):
            otherwise, value = self.text("}", depth + 1), self._value(name)
            value = value or otherwise
        elif self._took("-"):
            otherwise = self.text("}", depth + 1)
            value = self._value(name) if self._has(name) else otherwise
        elif self._took("?"):
            self.text("}", depth + 1)
            if self._environment is not None and not self._has(name):
                raise UnreadableError
            value = self._value(name)
        elif self._took(":"):
            value = self._cut(self._value(name))
        else:
            raise UnreadableError
        if not self._took("}"):
            raise UnreadableError
        return value

    def _cut(self, value: str) -> str:
        offset, _, length = self._until_brace().partition(":")
        data = value.encode()  # goose counts bytes
        begin = _number(offset)
        # As in a shell, a negative offset counts from the end, and a negative length leaves so much
        # of the end out.
        begin = min(max(begin + len(data), 0) if begin < 0 else begin, len(data))
        if not _:
            return data[begin:].decode("utf-8", "replace")
        end = _number(length)
        end = max(end + len(data), begin) if end < 0 else begin + end
        return data[begin:end].decode("utf-8", "replace")

    def _until_brace(self) -> str:
        end = self._line.find("}", self._position)
        if end < 0:
            raise UnreadableError
        begin, self._position = self._position, end
        return self._line[begin:end]

    def _name(self) -> str:
        begin = self._position
        if not _is(self._line[begin : begin + 1], "L"):
            raise UnreadableError
        while _is(self._line[self._position : self._position + 1], "LN_"):
            self._position += 1
        name = self._line[begin : self._position]
        self.names.append(name)
        return name

    def _took(self, words: str) -> bool:
        matches = self._line.startswith(words, self._position)
        self._position += len(words) if matches else 0
        return matches

    def _has(self, name: str) -> bool:
        return self._environment is not None and name in self._environment

    def _value(self, name: str) -> str:
        return self._environment.get(name, "") if self._environment is not None else ""


def _is(letter: str, classes: str) -> bool:
    """Whether a letter is of one of some classes of Unicode; ``_`` stands for itself."""
    if not letter:
        return False
    return ("_" in classes and letter == "_") or unicodedata.category(letter)[0] in classes


def _number(text: str) -> int:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise UnreadableError
    number = int(match[1]) * (-1 if "-" in text else 1)
    if not -(2**_BITS) <= number < 2**_BITS:
        raise UnreadableError
    return number
