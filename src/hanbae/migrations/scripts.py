"""A migration file as goose (v3.27) reads it: its annotations, its statements, and the line at which goose gives up.

goose knows no SQL.
It reads lines: a line that is a comment with ``+goose`` in it is an annotation, and a statement ends with a line whose
last word before a comment ends in ``;``, be that inside a string or a function's body or not.
What comes of that is what matters, so the rules here are goose's and not SQL's.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

import msgspec
from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import variables

Kind = Literal[
    "begin",
    "begin-open",
    "byte-order-mark",
    "down-first",
    "down-twice",
    "end",
    "indented",
    "long-line",
    "no-up",
    "outside",
    "unfinished",
    "unknown",
    "up-twice",
    "utf-16",
    "variable",
]
"""Why goose refuses a file.

``begin`` and ``end``: StatementBegin inside a statement or outside Up and Down, StatementEnd without a begin;
``begin-open``: a StatementBegin that is never ended; ``indented``: white space before an annotation;
``byte-order-mark``: the three bytes that some editors put before UTF-8, which goose takes for SQL before Up;
``utf-16``: a file in which every letter has two bytes, likewise; ``long-line``: a line that does not fit into goose's
buffer; ``variable``: a ``$`` between ENVSUB ON and OFF that begins no variable;
``outside``: SQL before Up; ``unfinished``: a last statement without ``;``; ``unknown``: a comment that mentions
``+goose`` and is no annotation.
"""

_COMMANDS: Final = frozenset(
    {"UP", "DOWN", "STATEMENTBEGIN", "STATEMENTEND", "NO TRANSACTION", "ENVSUB ON", "ENVSUB OFF"}
)
_BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go takes for white space; Python has four control characters more."""
_WORDS: Final = patterns.lazy(f"[^{_BLANKS}]+")
_LONGEST: Final = 4 * 1024 * 1024
"""Bytes of a line that goose's buffer does not hold any more."""
_SMALL: Final = 16 * 1024
"""Bytes of a file that is remembered: services often have the same ones, such as the first."""


class Statement(Struct, frozen=True):
    """What goose sends to the database at once.

    Attributes:
        text: The SQL, which may be several statements: a ``;`` inside a line ends none.
        line: Its first line, counted from 1.
        last: The line at which goose ends it.
        marked: Whether ``StatementEnd`` ends it, and not a ``;``.
        variables: The variables of the environment that goose puts into it.
    """

    text: str
    line: int
    last: int = 0
    marked: bool = False
    variables: tuple[str, ...] = ()


class Fault(Struct, frozen=True):
    """Where goose gives up.

    Attributes:
        kind: Why.
        line: The line, counted from 1.
        part: The only part that goose does not run because of it; empty where it runs neither.
    """

    kind: Kind
    line: int
    part: Literal["", "up", "down"] = ""


class Parsed(Struct, frozen=True):
    """A file as goose reads it.

    Attributes:
        up: The statements of its Up part.
        down: Those of its Down part; None where it has none.
        transaction: Whether each part runs in a transaction.
        fault: Where goose gives up; what comes after it is not here.
        lost: Lines of SQL that goose leaves out: the first one after a StatementBegin and StatementEnd with nothing
            in between, in place of which it sends an empty statement.
        explained: Whether a comment stands in the Down part.
    """

    up: tuple[Statement, ...] = ()
    down: tuple[Statement, ...] | None = None
    transaction: bool = True
    fault: Fault | None = None
    lost: tuple[int, ...] = ()
    explained: bool = False


def read(data: bytes, environment: Mapping[str, str] | None = None) -> Parsed:
    """Read a migration file as it is on the disk.

    Args:
        data: Its bytes: goose skips no byte order mark and knows no encoding.
        environment: The variables that goose has; None where nobody knows: they stay in the SQL as they are written.
    """
    if environment is None and len(data) <= _SMALL:
        return _remembered(data)
    return _read(data, environment)


@lru_cache(maxsize=256)
def _remembered(data: bytes) -> Parsed:
    return _read(data, None)


def _read(data: bytes, environment: Mapping[str, str] | None) -> Parsed:
    # UTF-16 without a mark: one of the two bytes of an ASCII letter is zero.
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:2]:
        return Parsed(fault=Fault("utf-16", 1))
    parsed = parse(data.decode("utf-8", "replace"), environment)
    if data.startswith(codecs.BOM_UTF8) and parsed.fault is not None:
        return msgspec.structs.replace(parsed, fault=Fault("byte-order-mark", 1))
    return parsed


def parse(text: str, environment: Mapping[str, str] | None = None) -> Parsed:
    """Read the text of a migration file; see `read`."""
    reader = _Reader(environment)
    try:
        for number, line in enumerate(text.split("\n"), 1):
            reader.read(line.removesuffix("\r"), number)
        reader.end()
    except _GivenUpError as error:
        return reader.parsed(error.fault)
    return reader.parsed(None)


class _GivenUpError(Exception):
    def __init__(self, kind: Kind, line: int, part: Literal["", "up", "down"] = "") -> None:
        super().__init__(kind)
        self.fault = Fault(kind, line, part)


class _Reader:
    """goose's state machine over lines."""

    def __init__(self, environment: Mapping[str, str] | None) -> None:
        self._environment = environment
        self._parts: dict[str, list[Statement]] = {}
        self._part = ""
        self._substitutes = False
        self._variables: dict[str, None] = {}
        self._begun = 0  # line of the StatementBegin that is open
        self._lines: list[str] = []
        self._first = 0
        self._skips = False
        self._lost: list[int] = []
        self._explained = False
        self._transaction = True

    def parsed(self, fault: Fault | None) -> Parsed:
        down = self._parts.get("DOWN")
        return Parsed(
            tuple(self._parts.get("UP", ())),
            None if down is None else tuple(down),
            self._transaction,
            fault,
            tuple(self._lost),
            self._explained,
        )

    def read(self, line: str, number: int) -> None:
        # A letter has at most four bytes, so a shorter line need not be encoded to be measured.
        if len(line) >= _LONGEST // 4 and len(line.encode()) >= _LONGEST:
            raise _GivenUpError("long-line", number)
        text = line.strip(_BLANKS)
        comment = text.startswith("--")
        if comment and "+goose" in text:
            self._annotation(line, text, number)
            return
        self._explained |= comment and self._part == "DOWN"
        if not self._part:
            if text and not comment:
                raise _GivenUpError("outside", number)
        elif self._skips and not (comment or not line):
            self._skip(text, number)
        # While nothing is collected goose leaves out comments and empty lines; a line of blanks is
        # no empty line.
        elif self._lines or not (comment or not line):
            self._first = self._first or (number if text else 0)
            line = self._substituted(line, number) if self._substitutes else line
            self._lines.append(line)
            if not self._begun and _ends(line):
                self._close(number)

    def _skip(self, text: str, number: int) -> None:
        """Leave a line out, as goose does behind a block that holds nothing."""
        self._skips = False
        self._parts[self._part].append(Statement("", number, number))
        if text:
            self._lost.append(number)

    def _substituted(self, line: str, number: int) -> str:
        try:
            substituted = variables.substituted(line, self._environment)
        except variables.UnreadableError:
            raise _GivenUpError("variable", number) from None
        self._variables.update(dict.fromkeys(substituted.names))
        return substituted.text

    def end(self) -> None:
        """The end of the file."""
        if not self._part:
            raise _GivenUpError("no-up", 1)
        self._finish()

    def _annotation(self, line: str, text: str, number: int) -> None:
        command = text.replace("--", "").replace("+goose", "", 1).strip(_BLANKS).upper()
        if command not in _COMMANDS:
            raise _GivenUpError("unknown", number)
        if line[0] != "-":
            raise _GivenUpError("indented", number)
        if command in ("UP", "DOWN"):
            self._turn(command, number)
        elif command == "STATEMENTBEGIN":
            if self._begun or not self._part:
                raise _GivenUpError("begin", number)
            self._begun, self._skips = number, False
        elif command == "STATEMENTEND":
            if not self._begun:
                raise _GivenUpError("end", number)
            self._begun = 0
            if self._lines:
                self._close(number, marked=True)
            else:
                self._skips = True
        elif command == "NO TRANSACTION":
            # Wherever it stands, it counts for both parts of the file.
            self._transaction = False
        else:
            self._substitutes = command == "ENVSUB ON"

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
        if any(line.strip(_BLANKS) for line in self._lines):
            part: Literal["up", "down"] = "up" if self._part == "UP" else "down"
            raise _GivenUpError("unfinished", self._first, part)
        self._lines, self._first, self._variables = [], 0, {}
        self._skips = False

    def _close(self, number: int, *, marked: bool = False) -> None:
        text, names = "\n".join(self._lines).strip(_BLANKS), tuple(self._variables)
        first = self._first or number
        self._parts[self._part].append(Statement(text, first, number, marked, names))
        self._lines, self._first, self._variables = [], 0, {}


def _ends(line: str) -> bool:
    """Whether a statement ends with this line: by its last word before one that begins a comment."""
    if ";" not in line:
        return False
    if "--" not in line:
        return line.rstrip(_BLANKS).endswith(";")
    last = ""
    for word in _WORDS.finditer(line):
        if word[0].startswith("--"):
            break
        last = word[0]
    return last.endswith(";")
