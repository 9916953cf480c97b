"""Where goose ends a statement in the middle of what the database would read as one.

goose (v3.27) ends a statement at a line that ends in ``;`` and knows nothing of strings, comments, function bodies or
parentheses: without ``StatementBegin`` the database is sent half of them. What is open at such an end is found by
reading the SQL as its dialect writes it; a piece of SQL is read once, from its beginning to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import dialects, scripts

Inside = Literal["body", "string", "comment", "name", "block", "parentheses"]
"""What is open: ``$…$``, ``'…'``, ``/* */``, a quoted name, ``BEGIN … END``, or parentheses."""

# `E'…'` has backslashes only where E is a word of its own; a `$` behind a letter is a part of a
# name, so `a$b$` opens no body.
_CODE: Final = patterns.lazy(
    r"--[^\n]*|(?P<opens>/\*|(?<!\w)[eE]'|['\"`]|(?<![\w$])\$(?:[A-Za-z_]\w*)?\$)"
    r"|(?P<parenthesis>[()])|(?P<word>[A-Za-z_][\w$]*)"
)
# A doubled quote ends the literal and begins the next one, which comes to the same.
_BACKSLASHED: Final = {
    "'": patterns.lazy(r"\\.|'", re.DOTALL),
    '"': patterns.lazy(r'\\.|"', re.DOTALL),
    "`": patterns.lazy(r"\\.|`", re.DOTALL),
}
_COMMENT: Final = patterns.lazy(r"/\*|\*/")
_ROUTINES: Final = frozenset({"FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"})
_MOST_WORDS: Final = 12
"""Words from the beginning of a statement within which CREATE says what it creates."""

_SMALL: Final = 16 * 1024
"""Letters of a part that is remembered: services often have the same files."""


class Cut(Struct, frozen=True):
    """A statement that goose ends too early.

    Attributes:
        line: The line that ends in ``;``, counted from 1.
        opened: The line on which what is open begins.
        inside: What is open.
    """

    line: int
    opened: int
    inside: Inside


def cuts(statements: Iterable[scripts.Statement], dialect: dialects.Dialect) -> tuple[Cut, ...]:
    """The places at which goose cuts, one for each thing that it cuts.

    Args:
        statements: The statements of one part of a file, as goose reads them.
        dialect: How the database writes strings and bodies.
    """
    part = tuple(statements)
    if sum(len(statement.text) for statement in part) <= _SMALL:
        return _remembered(part, dialect)
    return tuple(_cuts(part, dialect))


@lru_cache(maxsize=256)
def _remembered(
    statements: tuple[scripts.Statement, ...], dialect: dialects.Dialect
) -> tuple[Cut, ...]:
    return tuple(_cuts(statements, dialect))


def _cuts(statements: Iterable[scripts.Statement], dialect: dialects.Dialect) -> Iterator[Cut]:
    reader, reported = _Reader(dialect), 0
    for statement in statements:
        reader.read(statement)
        if statement.marked:  # the author said where it ends
            reader, reported = _Reader(dialect), 0
            continue
        still_open = reader.open
        if still_open is None:
            reader, reported = _Reader(dialect), 0
        # The same thing stays open over several of goose's statements; it is told once.
        elif still_open[1] != reported:
            inside, reported = still_open
            yield Cut(statement.last, reported, inside)


class _Reader:
    """What is open after the SQL that was read so far."""

    def __init__(self, dialect: dialects.Dialect) -> None:
        self._dialect = dialect
        self._literal: tuple[Inside, str, bool, int] | None = None  # kind, end, backslashes, line
        self._comments: list[int] = []
        self._parentheses: list[int] = []
        self._blocks: list[int] = []
        self._words: list[str] = []

    @property
    def open(self) -> tuple[Inside, int] | None:
        """What is open, and the line on which it begins; the innermost first."""
        if self._literal is not None:
            return self._literal[0], self._literal[3]
        lists: tuple[tuple[Inside, list[int]], ...] = (
            ("comment", self._comments),
            ("block", self._blocks),
            ("parentheses", self._parentheses),
        )
        return next(((inside, lines[0]) for inside, lines in lists if lines), None)

    def read(self, statement: scripts.Statement) -> None:
        """Read what goose sends at once."""
        text, position, line = statement.text, 0, statement.line
        while position < len(text):
            if self._literal is not None:
                end = self._ended(text, position)
            elif self._comments:
                end = self._commented(text, position)
            else:
                end = self._code(text, position, line)
            line += text.count("\n", position, end)
            position = end

    def _ended(self, text: str, position: int) -> int:
        """Where the literal that is open ends."""
        assert self._literal is not None  # noqa: S101  asked by its caller
        _, end, backslashes, _ = self._literal
        if backslashes:
            for match in _BACKSLASHED[end].finditer(text, position):
                if match[0] == end:
                    self._literal = None
                    return match.end()
            return len(text)
        index = text.find(end, position)
        if index < 0:
            return len(text)
        self._literal = None
        return index + len(end)

    def _commented(self, text: str, position: int) -> int:
        """Where the comment that is open ends, or one opens within it."""
        match = _COMMENT.search(text, position)
        if match is None:
            return len(text)
        if match[0] == "*/":
            self._comments.pop()
        elif self._dialect == "postgres":  # of the dialects here only its comments nest
            self._comments.append(self._comments[0])
        return match.end()

    def _code(self, text: str, position: int, line: int) -> int:
        """Where the SQL that is no literal and no comment ends."""
        counted = position
        for match in _CODE.finditer(text, position):
            line += text.count("\n", counted, match.start())
            counted = match.start()
            if match["opens"]:
                if self._opened(match["opens"], line):
                    return match.end()
            elif match["parenthesis"] == "(":
                self._parentheses.append(line)
            elif match["parenthesis"]:
                # A `)` too many is an error for the database, and nothing to count here.
                self._parentheses = self._parentheses[:-1]
            elif match["word"]:
                self._word(match["word"].upper(), line)
        return len(text)

    def _opened(self, mark: str, line: int) -> bool:
        """Whether a mark opens a literal or a comment in this dialect."""
        postgres = self._dialect == "postgres"
        if mark == "/*":
            self._comments.append(line)
        elif mark.startswith("$"):
            if postgres:
                self._literal = "body", mark, False, line
            return postgres
        else:
            inside: Inside = "string" if mark.endswith("'") else "name"
            escapes = len(mark) > 1 or self._dialect not in ("postgres", "sqlite")
            self._literal = inside, mark[-1], escapes, line
        return True

    def _word(self, word: str, line: int) -> None:
        """Count blocks: BEGIN ATOMIC, and BEGIN in what is created with a body that is not quoted."""
        atomic = word == "ATOMIC" and self._words[-1:] == ["BEGIN"]
        routine = word == "BEGIN" and self._dialect != "postgres" and self._creates_a_routine()
        # CASE ends with END as a block does, so it is counted like one.
        if self._blocks and word in ("BEGIN", "CASE"):
            self._blocks.append(line)
        elif self._blocks and word == "END":
            self._blocks.pop()
        elif not self._blocks and (atomic or routine):
            self._blocks.append(line)
        self._words.append(word)

    def _creates_a_routine(self) -> bool:
        words = self._words[:_MOST_WORDS]
        return words[:1] == ["CREATE"] and not _ROUTINES.isdisjoint(words)
