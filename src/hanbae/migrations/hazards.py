"""What a statement does to data, to running pods, and to a second try, as far as its words show.

No parser of any database: strings, comments and the bodies of functions are blanked out, and the first words of what
is left say what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import scripts

Loss = Literal["drop", "column", "truncate", "delete", "type", "rename"]
"""What is lost: a table or more, a column, a table's rows (two ways), a column's form, or a name that pods use."""

_DO: Final = patterns.lazy(r"\s*DO\b", re.IGNORECASE)
_OPENED: Final = patterns.lazy(r".*\b(?:BEGIN|THEN|ELSE|LOOP)\b", re.IGNORECASE | re.DOTALL)
"""What stands before a statement in a block that is run."""
# Each alternative reaches the end of the text where it is not closed, so that none is tried twice.
_HIDDEN: Final = patterns.lazy(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|[eE]'(?:\\.|[^'\\])*(?:'|\Z)|'[^']*(?:'|\Z)", re.DOTALL
)
_BODY: Final = patterns.lazy(r"\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)", re.DOTALL)
_MARK: Final = patterns.lazy(rf"{_HIDDEN.pattern}|{_BODY.pattern}", re.DOTALL)

_FLAGS: Final = re.IGNORECASE
_SUSPECT: Final = patterns.lazy("DROP|TRUNCATE|DELETE|ALTER", _FLAGS)
_DROP: Final = patterns.lazy(r"DROP\s+(?:TABLE|SCHEMA|DATABASE)\b", _FLAGS)
_TRUNCATE: Final = patterns.lazy(r"TRUNCATE\b", _FLAGS)
_DELETE: Final = patterns.lazy(r"DELETE\s+FROM\b(?!.*\bWHERE\b)", _FLAGS | re.DOTALL)
_ALTER_TYPE: Final = patterns.lazy(r"ALTER\s+TYPE\b(?!.*\bADD\s+VALUE\b)", _FLAGS | re.DOTALL)
_ALTER: Final = patterns.lazy(r"ALTER\s+TABLE\b", _FLAGS)
_COLUMN: Final = patterns.lazy(
    r"\bDROP\b(?!\s+(?:CONSTRAINT|DEFAULT|NOT|EXPRESSION|IDENTITY|INDEX|KEY|PRIMARY|FOREIGN|PARTITION|CHECK)\b)",
    _FLAGS,
)
_TYPE: Final = patterns.lazy(
    r"\bALTER\s+(?:COLUMN\s+)?\S+\s+(?:SET\s+DATA\s+)?TYPE\b|\bMODIFY\s+COLUMN\b", _FLAGS
)
_RENAME: Final = patterns.lazy(r"\bRENAME\b(?!\s+(?:CONSTRAINT|INDEX)\b)", _FLAGS)
_ALONE: Final = patterns.lazy(
    r"(?:CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY|DROP\s+INDEX\s+CONCURRENTLY"
    r"|VACUUM|(?:CREATE|DROP)\s+DATABASE|(?:CREATE|DROP)\s+TABLESPACE|ALTER\s+SYSTEM)\b",
    _FLAGS,
)
# The word that makes these such a statement stands anywhere after the others.
_REINDEX: Final = patterns.lazy(r"REINDEX\b", _FLAGS)
_DETACH: Final = patterns.lazy(r"\bDETACH\s+PARTITION\b", _FLAGS)
_CONCURRENTLY: Final = patterns.lazy(r"\bCONCURRENTLY\b", _FLAGS)
_MAY_BE_ALONE: Final = patterns.lazy("CONCURRENTLY|VACUUM|DATABASE|TABLESPACE|SYSTEM", _FLAGS)
_AGAIN: Final = patterns.lazy(
    r"(?:SET|RESET|SELECT|ANALYZE|VACUUM|REINDEX|REFRESH|COMMENT|GRANT|REVOKE|DELETE|DO|NOTIFY|LOCK)\b"
    r"|.*\bIF\s+(?:NOT\s+)?EXISTS\b|CREATE\s+OR\s+REPLACE\b|.*\bON\s+CONFLICT\b|.*\bVALIDATE\s+CONSTRAINT\b",
    _FLAGS | re.DOTALL,
)


_BEGINS: Final = patterns.lazy(
    r"^[ \t]*(?:(?:CREATE|ALTER|DROP)[ \t]+(?:OR[ \t]+REPLACE[ \t]+)?(?:UNIQUE[ \t]+)?(?:MATERIALIZED[ \t]+)?(?:TABLE"
    r"|INDEX|VIEW|FUNCTION|PROCEDURE|TRIGGER|TYPE|DOMAIN|SCHEMA|SEQUENCE|EXTENSION|POLICY|DATABASE|DICTIONARY|ROLE)\b"
    r"|UPDATE[ \t]+\S+[ \t]+SET\b|INSERT[ \t]+INTO\b|DELETE[ \t]+FROM\b|TRUNCATE[ \t]+TABLE\b)",
    _FLAGS | re.MULTILINE,
)
_HOLDS_OTHERS: Final = patterns.lazy(
    r"(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:SCHEMA|RULE|FUNCTION|PROCEDURE|TRIGGER|EVENT)|WITH|EXPLAIN|MERGE|PREPARE|DO"
    r"|BEGIN|DECLARE|IF|END|LOOP|FOR)\b",
    _FLAGS,
)
"""First words of statements that other statements may stand in."""
_GOES_ON: Final = patterns.lazy(r"(?:\b(?:AS|ON|OF|TO|BY|FOR|OR|AFTER|BEFORE)|,)\s*\Z", _FLAGS)
# Letters before a match that `_GOES_ON` sees: over a long text its `\s*\Z` would take quadratic
# time.
_BEFORE: Final = 20
_TWO: Final = 2


class Hazard(Struct, frozen=True):
    """What is lost, and where.

    Attributes:
        loss: What.
        line: The line of the file.
        words: The statement's first words, for messages.
    """

    loss: Loss
    line: int
    words: str


def losses(statements: tuple[scripts.Statement, ...]) -> Iterator[Hazard]:
    """What statements take away from the data or from pods that still run."""
    for statement in statements:
        # Most statements hold none of these words, and taking one apart costs more.
        if not _SUSPECT.search(statement.text):
            continue
        for text, line in parts(statement):
            loss = _loss(text)
            if loss is not None:
                yield Hazard(loss, line, words(text))


def _loss(text: str) -> Loss | None:
    first: tuple[tuple[re.Pattern[str], Loss], ...] = (
        (_DROP, "drop"),
        (_TRUNCATE, "truncate"),
        (_DELETE, "delete"),
        (_ALTER_TYPE, "type"),
    )
    inside: tuple[tuple[re.Pattern[str], Loss], ...] = (
        (_COLUMN, "column"),
        (_TYPE, "type"),
        (_RENAME, "rename"),
    )
    for pattern, loss in first:
        if pattern.match(text):
            return loss
    if not _ALTER.match(text):
        return None
    return next((loss for pattern, loss in inside if pattern.search(text)), None)


def may_be_alone(text: str) -> bool:
    """Whether it is worth the while to take a text apart for `alone`."""
    return bool(_MAY_BE_ALONE.search(text))


def alone(text: str) -> bool:
    """Whether PostgreSQL refuses a statement inside a transaction block."""
    return _alone_until(text) is not None


def alone_words(text: str) -> str:
    """The words by which such a statement is called: all that make it one, such as ``DROP DATABASE``.

    Args:
        text: A statement that is `alone`.
    """
    end = _alone_until(text)
    return " ".join(text[:end].split())[:80] if end is not None else words(text, 3)


def _alone_until(text: str) -> int | None:
    """Where the words end that keep a statement out of a transaction block; None where there are none.

    Each word is searched for once: a branch may write a statement as long as a file.
    """
    if (match := _ALONE.match(text)) is not None:
        return match.end()
    statement = text.partition(";")[0]
    begun = _REINDEX.match(statement)
    if begun is None and _ALTER.match(statement):
        begun = _DETACH.search(statement)
    last = _CONCURRENTLY.search(statement, begun.end()) if begun is not None else None
    return None if last is None else last.end()


def repeatable(text: str) -> bool:
    """Whether a statement can run a second time without an error."""
    return bool(_AGAIN.match(text))


def parts(statement: scripts.Statement) -> Iterator[tuple[str, int]]:
    """The single statements in what goose sends at once, without strings, comments and bodies; each with its line."""
    line, sql = statement.line, shown(statement.text)
    # Only the body of a DO is run now; that of a function is run later, if ever.
    # A comment before DO is blank in `sql`.
    run = bool(_DO.match(sql))
    for piece in sql.split(";"):
        opened = _OPENED.match(piece) if run else None
        text = piece[opened.end() if opened else 0 :].lstrip()
        if text:
            before = len(piece) - len(text)
            yield text.rstrip(), line + piece.count("\n", 0, before)
        line += piece.count("\n")


def shown(text: str) -> str:
    """SQL with blanks for what is no SQL: comments, strings and the bodies of functions, but those that ``DO`` runs."""
    # The body of a DO stays to be seen: it is what is run.
    pattern = _HIDDEN if _DO.match(_HIDDEN.sub(_blank, text)) else _MARK
    return pattern.sub(_blank, text)


def run_together(statement: scripts.Statement) -> Iterator[tuple[int, str, str]]:
    """Statements that begin a line although nothing has ended the one above: the line, that one, and the new one.

    Args:
        statement: What goose sends at once.
    """
    if len(_BEGINS.findall(statement.text)) < _TWO or _DO.match(shown(statement.text)):
        return
    for text, line in parts(statement):
        if _HOLDS_OTHERS.match(text):
            continue
        last = 0
        for match in _BEGINS.finditer(text):
            start = match.start()
            if start > 0 and not _GOES_ON.search(text[max(0, start - _BEFORE) : start]):
                yield line + text.count("\n", 0, start), text[last:], text[start:]
                last = start


def words(text: str, most: int = 6) -> str:
    """The first words of a statement."""
    parts = text.split(maxsplit=most)
    return " ".join(parts[:most])[:80]


def _blank(match: re.Match[str]) -> str:
    # As long as it was, and with its line ends, so that places and line numbers stay.
    return re.sub(r"[^\n]", " ", match[0])
