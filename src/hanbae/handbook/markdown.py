"""Foreign text as Markdown that says just that text: no link, no HTML, no further column, no end of a block."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from hanbae import commonmark, patterns

_TICKS: Final = patterns.lazy(r"`+")
LONGEST: Final = 400
"""Characters of one text; what is longer is cut."""


def line(text: str) -> str:
    """A text on one line, without what cannot be seen."""
    words = " ".join(text[: 2 * LONGEST].split())
    printable = "".join(letter if letter.isprintable() else "�" for letter in words)
    return printable if len(printable) <= LONGEST else printable[: LONGEST - 1] + "…"


def prose(text: str) -> str:
    """A sentence of the policy's, in a paragraph or a cell; what it puts between single backticks stays code."""
    parts = line(text).split("`")
    if len(parts) % 2 == 0 or "" in parts[1::2]:
        return commonmark.escaped(line(text))
    return "".join(code(part) if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _escaped(part: str) -> str:
    """A part of a sentence, with the space around it."""
    words = part.strip()
    return part.replace(words, commonmark.escaped(words), 1) if words else part


def code(text: str) -> str:
    """A name or a command, in a paragraph or a cell; a dash for none."""
    printable = line(text)
    if not printable:
        return "-"
    fence = "`" * (_longest_run(printable) + 1)
    pad = " " if printable[0] == "`" or printable[-1] == "`" else ""
    # Two backslashes before a column's mark would be one that is shown, and the mark would count.
    inside = printable.replace("\\|", "\\ |").replace("|", "\\|")
    return f"{fence}{pad}{inside}{pad}{fence}"


def codes(texts: Iterable[str]) -> str:
    """Names, one after the other; a dash for none."""
    return ", ".join(map(code, texts)) or "-"


def table(rows: Iterable[Sequence[str]]) -> str:
    """The rows of a table whose cells are Markdown already; its head is the template's."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def block(lines: Iterable[str], language: str = "bash") -> str:
    """Lines of code between fences that none of them ends."""
    printable = [
        "".join(letter if letter.isprintable() else "�" for letter in text) for text in lines
    ]
    fence = "`" * max(3, max(map(_longest_run, printable), default=0) + 1)
    return "\n".join([f"{fence}{language}", *printable, fence])


def command(*words: str) -> str:
    """A command line; what a shell would read otherwise is quoted."""
    return shlex.join(words)


def _longest_run(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)
