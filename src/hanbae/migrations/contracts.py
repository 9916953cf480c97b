"""Migrations that take away or rename what an application uses: the second half of "expand and contract".

First a version is deployed that does not use it any more, then a migration takes it away. A comment in that file names
the migration that came with the first half::

    -- hanbae: contract after 00007
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.results.effects import TAKING, Effect

_MARK: Final = patterns.lazy(
    r"^[ \t]*--[ \t]*hanbae:[ \t]*contract\b(?:[ \t]+after[ \t]+(?P<after>[0-9]{1,19})\b)?",
    re.MULTILINE | re.IGNORECASE,
)


class Mark(Struct, frozen=True):
    """The comment.

    Attributes:
        line: Where it stands.
        after: The version that it names; None where it names none.
    """

    line: int
    after: int | None


class Removal(Struct, frozen=True):
    """What running code cannot use any more.

    Attributes:
        table: The table or view, without its schema.
        column: The column; empty where the whole table goes or is renamed.
        line: The line of the file.
    """

    table: str
    column: str
    line: int

    @property
    def called(self) -> str:
        """How sentences call it."""
        return f"{self.table}.{self.column}" if self.column else self.table


def mark(text: str) -> Mark | None:
    """The comment of a file, the first one where there are several; None where it has none."""
    match = _MARK.search(text)
    if match is None:
        return None
    after = match["after"]
    return Mark(text.count("\n", 0, match.start()) + 1, int(after) if after else None)


def removals(effects: Iterable[Effect]) -> tuple[Removal, ...]:
    """What an Up part takes away or renames, of what was there before the file."""
    return tuple(
        Removal(effect.table.rpartition(".")[2], effect.name, effect.line)
        for effect in effects
        if effect.action in TAKING and not effect.new
    )
