"""Where goose stopped in a migration that runs outside a transaction: what came before it in the file stays.

goose names the statement in its error, and nothing records it anywhere else.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import scripts

_BEFORE: Final = 'failed to execute SQL query "'
_QUOTED: Final = patterns.lazy(r'(?:[^"\\]|\\.)*')
_ESCAPE: Final = patterns.lazy(r'\\([ntrv"\\])')
_MEANING: Final = {"n": "\n", "t": "\t", "r": "\r", "v": "\v"}


class Stop(Struct, frozen=True):
    """Where goose stopped.

    Attributes:
        line: The line of the statement that failed.
        before: How many statements of the file came before it.
        statements: How many the file has.
    """

    line: int
    before: int
    statements: int


def stopped(content: bytes, error: str) -> Stop | None:
    """Where goose stopped in a file; None where its error does not name one statement of it.

    Args:
        content: The file.
        error: goose's words.
    """
    _, before, rest = error.partition(_BEFORE)
    match = _QUOTED.match(rest)
    if not before or match is None:
        return None
    # goose quotes the statement as Go does.
    failing = _words(_ESCAPE.sub(lambda m: _MEANING.get(m[1], m[1]), match[0]))
    statements = scripts.read(content).up
    places = [
        index for index, statement in enumerate(statements) if _words(statement.text) == failing
    ]
    # The same statement twice in a file: nothing says which of them has failed.
    if len(places) != 1:
        return None
    return Stop(statements[places[0]].line, places[0], len(statements))


def _words(statement: str) -> list[str]:
    """The words of a statement; goose leaves lines that are comments out of what it writes."""
    lines = (line for line in statement.splitlines() if not line.startswith("--"))
    return " ".join(lines).rstrip(" ;").split()
