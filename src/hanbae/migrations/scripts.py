"""A migration file as goose (v3.27) reads it: its annotations, its statements, and the line at which goose gives up.

goose knows no SQL.
It reads lines: a line that is a comment with ``+goose`` in it is an annotation, and a statement ends with a line whose
last word before a comment ends in ``;``, be that inside a string or a function's body or not.
What comes of that is what matters, so the rules here are goose's and not SQL's.
"""

from __future__ import annotations

import codecs
from typing import Final, Literal

import msgspec
from msgspec import Struct

Kind = Literal[
    "begin",
    "begin-open",
    "byte-order-mark",
    "down-first",
    "down-twice",
    "end",
    "indented",
    "no-up",
    "outside",
    "unfinished",
    "unknown",
    "up-twice",
    "utf-16",
]
"""Why goose refuses a file.

``begin`` and ``end``: StatementBegin inside a statement or outside Up and Down, StatementEnd without a begin;
``begin-open``: a StatementBegin that is never ended; ``indented``: white space before an annotation;
``byte-order-mark``: the three bytes that some editors put before UTF-8, which goose takes for SQL before Up;
``utf-16``: a file in which every letter has two bytes, likewise;
``outside``: SQL before Up; ``unfinished``: a last statement without ``;``; ``unknown``: a comment that mentions
``+goose`` and is no annotation.
"""

_KNOWN: Final = frozenset(
    {"UP", "DOWN", "STATEMENTBEGIN", "STATEMENTEND", "NO TRANSACTION", "ENVSUB ON", "ENVSUB OFF"}
)


class Statement(Struct, frozen=True):
    """What goose sends to the database at once.

    Attributes:
        text: The SQL, which may be several statements: a ``;`` inside a line ends none.
        line: Its first line, counted from 1.
        last: The line at which goose ends it.
        marked: Whether ``StatementEnd`` ends it, and not a ``;``.
    """

    text: str
    line: int
    last: int = 0
    marked: bool = False


class Fault(Struct, frozen=True):
    """Where goose gives up.

    Attributes:
        kind: Why.
        line: The line, counted from 1.
    """

    kind: Kind
    line: int


class Parsed(Struct, frozen=True):
    """A file as goose reads it.

    Attributes:
        up: The statements of its Up part.
        down: Those of its Down part; None where it has none.
        transaction: Whether each part runs in a transaction.
        fault: Where goose gives up; what comes after it is not here.
    """

    up: tuple[Statement, ...] = ()
    down: tuple[Statement, ...] | None = None
    transaction: bool = True
    fault: Fault | None = None


def read(data: bytes) -> Parsed:
    """Read a migration file as it is on the disk.

    Args:
        data: Its bytes: goose skips no byte order mark and knows no encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:2]:
        return Parsed(fault=Fault("utf-16", 1))
    parsed = parse(data.decode("utf-8", "replace"))
    if data.startswith(codecs.BOM_UTF8) and parsed.fault is not None:
        return msgspec.structs.replace(parsed, fault=Fault("byte-order-mark", 1))
    return parsed


def parse(text: str) -> Parsed:
    """Read the text of a migration file."""
    reader = _Reader()
    try:
        for number, line in enumerate(text.split("\n"), 1):
            reader.read(line.removesuffix("\r"), number)
        reader.end()
    except _GivenUpError as error:
        return reader.parsed(Fault(error.kind, error.line))
    return reader.parsed(None)


class _GivenUpError(Exception):
    def __init__(self, kind: Kind, line: int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.line = line


class _Reader:
    """goose's state machine over lines."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Statement]] = {}
        self._part = ""
        self._begun = 0  # line of the StatementBegin that is open
        self._lines: list[str] = []
        self._first = 0
        self._transaction = True

    def parsed(self, fault: Fault | None) -> Parsed:
        down = self._parts.get("DOWN")
        return Parsed(
            tuple(self._parts.get("UP", ())),
            None if down is None else tuple(down),
            self._transaction,
            fault,
        )

    def read(self, line: str, number: int) -> None:
        text = line.strip()
        comment = text.startswith("--")
        if comment and "+goose" in text:
            self._annotation(line, text, number)
        elif not self._part:
            if text and not comment:
                raise _GivenUpError("outside", number)
        elif self._lines or not (comment or not line):
            self._first = self._first or (number if text else 0)
            self._lines.append(line)
            if not self._begun and _ends(line):
                self._close(number)

    def end(self) -> None:
        """The end of the file."""
        if not self._part:
            raise _GivenUpError("no-up", 1)
        self._finish()

    def _annotation(self, line: str, text: str, number: int) -> None:
        command = text.replace("--", "").replace("+goose", "", 1).strip().upper()
        if command not in _KNOWN:
            raise _GivenUpError("unknown", number)
        if line[0] != "-":
            raise _GivenUpError("indented", number)
        if command in ("UP", "DOWN"):
            self._turn(command, number)
        elif command == "STATEMENTBEGIN":
            if self._begun or not self._part:
                raise _GivenUpError("begin", number)
            self._begun = number
        elif command == "STATEMENTEND":
            if not self._begun:
                raise _GivenUpError("end", number)
            self._begun = 0
            self._close(number, marked=True)
        elif command == "NO TRANSACTION":
            self._transaction = False

    def _turn(self, part: str, number: int) -> None:
        if part == "UP" and self._part:
            raise _GivenUpError("up-twice", number)
        if part == "DOWN" and self._part != "UP":
            raise _GivenUpError("down-twice" if self._part else "down-first", number)
        self._finish()
        self._part = part
        self._parts[part] = []

    def _finish(self) -> None:
        """The end of a part: nothing may be left open."""
        if self._begun:
            raise _GivenUpError("begin-open", self._begun)
        if any(line.strip() for line in self._lines):
            raise _GivenUpError("unfinished", self._first)
        self._lines, self._first = [], 0

    def _close(self, number: int, *, marked: bool = False) -> None:
        text = "\n".join(self._lines).strip()
        if text:
            self._parts[self._part].append(Statement(text, self._first, number, marked))
        self._lines, self._first = [], 0


def _ends(line: str) -> bool:
    """Whether a statement ends with this line: by its last word before one that begins a comment."""
    if ";" not in line:
        return False
    last = ""
    for word in line.split():
        if word.startswith("--"):
            break
        last = word
    return last.endswith(";")
