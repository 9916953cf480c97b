"""Lays sentences out in lines of a terminal: by the cells that letters take, and without breaking what is copied.

A Hangul syllable takes two cells. How many others take is what rich says, which draws the live view: two tables would
be of two versions of Unicode.
Words stay whole, and so do commands: ``hanbae stop 20261128-…`` is pasted from the screen, so a line may rather be
too short, or for a command that no line holds, too long.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TextIO

from hanbae import patterns
from hanbae.cli.text import command_names

ENDLESS: Final = 1_000_000
"""Columns of what has no terminal: nothing is wrapped, so that every sentence can be searched for."""
NARROWEST: Final = 30
"""Cells below which lines are not made shorter; what is narrower the terminal folds."""
_STYLE: Final = patterns.lazy(r"\x1b\[[0-9;]*m")
_QUOTED: Final = patterns.lazy(r"`[^`\n]+`")
_PROSE: Final = frozenset(
    {
        "a",
        "again",
        "and",
        "for",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "that",
        "the",
        "then",
        "to",
        "with",
    }
)
"""Words after which a command in a sentence has ended."""
_OPERATORS: Final = frozenset({"|", "&&", "||", ">"})
_ENDS: Final = ".,;:!?)"
"""Marks at the end of a word that are not part of it."""
_USUAL: Final = patterns.lazy("[ -~·—\u2013\u2018\u2019“”…→✔✖│─가-힣]*")
"""Texts of characters of which the widths are beyond doubt: nothing is imported for those."""
_HANGUL: Final = patterns.lazy(r"[가-힣]")
_LONGEST_COMMAND: Final = 240
"""Cells of what is taken for a command and left whole; what is foreign may go on for ever."""
_GLUE: Final = "\x00"
"""Takes the place of a space that no line ends at."""


@functools.cache
def _program() -> re.Pattern[str]:
    """Where a command begins that stands in a sentence without quotes."""
    return re.compile(
        r"\b(?:kubectl|argocd) [a-z]|\bdocker login\b"
        r"|\bgit (?:add|checkout|commit|config|fetch|push|rm|switch)\b"
        rf"|\bhanbae (?:{'|'.join(command_names.COMMANDS)})\b"
    )


def cells(text: str) -> int:
    """Columns that a text takes on a terminal; colours take none."""
    if text.isascii() and "\x1b" not in text:
        return len(text)
    text = _STYLE.sub("", text)
    if _USUAL.fullmatch(text):
        return len(text) + len(_HANGUL.findall(text))
    from rich import cells as table

    return table.cell_len(text)


def _graphemes(text: str) -> Iterable[tuple[int, int, int]]:
    """Start, end and cells of what is drawn as one: a letter with its accents, a family of emoji."""
    if _USUAL.fullmatch(text):
        return (
            (index, index + 1, 2 if _HANGUL.match(character) else 1)
            for index, character in enumerate(text)
        )
    from rich import cells as table

    return table.split_graphemes(text)[0]


def width(stream: TextIO, *, fallback: int) -> int:
    """Columns of the terminal behind a stream; COLUMNS goes first, and `fallback` counts where neither is known.

    Args:
        stream: Where the text goes.
        fallback: Columns where there is no terminal, as in a pipe.
    """
    import os

    if not stream.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return fallback
    import shutil  # which has every compression of archives with it

    return shutil.get_terminal_size((fallback, 24)).columns


def wrap(
    text: str, columns: int, *, head: str = "", indent: str = "", cut: bool = False
) -> list[str]:
    """Lines of at most so many columns.

    Only a word or a command that fits into no line makes one that is longer, unless it is to be cut.

    Args:
        text: A sentence; what is spaced otherwise than by single spaces is not kept.
        columns: The width.
        head: What the first line begins with.
        indent: What the others begin with.
        cut: Whether words are cut that fit into no line: foreign ones, which may be thousands of letters long.
    """
    columns = max(columns, NARROWEST)
    whole = f"{head}{text}".rstrip()
    if "  " not in text and cells(whole) <= columns:  # as most do
        return [whole]
    room = columns - cells(indent)
    lines: list[str] = []
    line, used, empty = head, cells(head), True
    for word in _words(text):
        gap = "" if empty else " "
        for piece in _pieces(word, room, cut=cut):
            size = cells(piece) + len(gap)
            # A word that is too long stays behind the head unless a new line gives it more room:
            # that is where the head is wider than the indentation, which takes `columns - room`.
            if used + size <= columns or (empty and used <= columns - room):
                line, used, empty = line + gap + piece, used + size, False
            else:
                lines.append(line.rstrip())
                line, empty = indent + piece, False
                used = columns - room + cells(piece)
            gap = ""
    if line.strip() or not lines:
        lines.append(line.rstrip())
    return lines


def _pieces(word: str, columns: int, *, cut: bool) -> Iterator[str]:
    """A word in the pieces that a line may end between: the whole of it where that fits into one."""
    if cells(word) <= columns:
        yield word
        return
    is_command = _program().match(word.lstrip("`")) and cells(word) <= _LONGEST_COMMAND
    # Something too long may be broken before a bracket, as in `image(registry.example.com/…)`. A
    # space means that it is a command, which was glued together.
    for part in re.split(r"(?<=[^\s(])(?=\()", word) if " " not in word else [word]:
        begin = used = 0
        for start, _, size in _graphemes(part) if cut and not is_command else ():
            if used + size > columns:
                yield part[begin:start]
                begin, used = start, 0
            used += size
        yield part[begin:]


def paragraph(text: str, columns: int, *, head: str = "", indent: str = "") -> Iterator[str]:
    """Lines of a text that has lines of its own; those that begin with a space stay as they are.

    Args:
        text: The text.
        columns: The width.
        head: What the first line begins with.
        indent: What the others begin with.
    """
    for index, line in enumerate(text.split("\n")):
        start = head if index == 0 else indent
        if line.startswith(" ") or not line:
            yield (start + line).rstrip()
        else:
            yield from wrap(line, columns, head=start, indent=indent)


def command(line: str, columns: int, *, head: str = "", indent: str = "") -> list[str]:
    """A command line; where it is too long, continued with backslashes, so that a shell takes it as it stands.

    Args:
        line: The command.
        columns: The width.
        head: What the first line begins with.
        indent: What the others begin with; they are indented further.
    """
    if cells(head + line) <= columns:
        return [head + line]
    lines: list[str] = []
    current, empty = head, True
    for part in _parts(line):
        if not empty and cells(f"{current} {part} \\") > columns:
            lines.append(f"{current} \\")
            current, empty = f"{indent}    {part}", False
        else:
            current = current + part if empty else f"{current} {part}"
            empty = False
    return [*lines, current]


def _parts(line: str) -> list[str]:
    """The pieces that a command line may be broken between: words outside of quotes, an option with its value."""
    pieces = re.findall(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*')+", line)
    parts: list[str] = []
    for piece in pieces:
        before = parts[-1] if parts else ""
        takes_value = before.startswith("-") and " " not in before and "=" not in before
        is_value = takes_value and not piece.startswith("-") and piece not in _OPERATORS
        if is_value or before in _OPERATORS:
            parts[-1] = f"{before} {piece}"
        else:
            parts.append(piece)
    return parts


def _words(text: str) -> list[str]:
    """The words of a sentence; a command is one."""
    glued = _QUOTED.sub(lambda match: match[0].replace(" ", _GLUE), text)
    position = 0
    while (match := _program().search(glued, position)) is not None:
        end = _command_end(glued, match.start())
        span = glued[match.start() : end]
        glued = glued[: match.start()] + span.replace(" ", _GLUE) + glued[end:]
        # The match may reach further than the command: of `kubectl get을`, only `kubectl` is one.
        position = max(end, match.end())
    return [word.replace(_GLUE, " ") for word in glued.split(" ") if word]


def _command_end(text: str, start: int) -> int:
    """Where a command ends that begins at `start`."""
    end = start
    words: Sequence[str] = text[start:].split(" ")
    for index, word in enumerate(words):
        bare = word.rstrip(_ENDS)
        # The first two words name the program and its command, so they are not looked up among prose.
        if (index > 1 and bare in _PROSE) or (index and not bare.isascii()):
            break
        end += len(word) + bool(index)
        if bare != word:
            break
    return end


def clip(text: str, columns: int) -> str:
    """A text of at most so many columns, with an ellipsis where it was cut."""
    if cells(text) <= columns:
        return text
    used = 0
    for start, _, size in _graphemes(text):
        used += size
        if used > columns - 1:
            return text[:start].rstrip() + "…"
    return text


def pad(text: str, columns: int) -> str:
    """A text filled up with spaces to so many columns."""
    return text + " " * (columns - cells(text))
