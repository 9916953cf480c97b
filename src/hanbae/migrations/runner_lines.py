"""The line of JSON in which hanbae-migrate says how it left a database: what goose's own lines tell nothing of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hanbae import foreign_json

_KIND: Final = '"kind":"hanbae-migrate"'
_FORMAT: Final = 1
_LONGEST: Final = 200
_MOST: Final = 20


class Half(Struct, frozen=True):
    """A migration without a transaction that stopped in the middle.

    Attributes:
        file: Its file.
        direction: ``up`` or ``down``.
        statement: Which of its statements it stopped at, from 1; those before it are done.
    """

    file: str
    direction: str
    statement: int


class _Head(Struct, frozen=True):
    kind: str
    format: int


class _Line(Struct, frozen=True):
    half_applied: tuple[Half, ...] | None = None


def half_applied(lines: Sequence[str]) -> tuple[Half, ...]:
    """What the last such line of a log calls half applied; nothing where there is none, or one of a later form.

    Args:
        lines: The log, which an image wrote: what is too long or too much is cut.
    """
    # The last line counts: a log may have those of earlier runs in it.
    for line in reversed(lines):
        # Most lines are goose's; only one with this text is worth decoding.
        if _KIND not in line:
            continue
        try:
            head = foreign_json.decode(line, _Head)
        except foreign_json.Fault:
            continue
        # A later form may have anything else in it, and is the last line nevertheless.
        return _halves(line) if head.format == _FORMAT else ()
    return ()


def _halves(line: str) -> tuple[Half, ...]:
    try:
        halves = foreign_json.decode(line, _Line).half_applied or ()
    except foreign_json.Fault:
        return ()
    return tuple(
        Half(half.file[:_LONGEST], half.direction[:_LONGEST], half.statement)
        for half in halves[:_MOST]
    )
