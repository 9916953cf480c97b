"""The pages of ``--help``: click's layout, by the cells that letters take, with examples that can be pasted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click

from hanbae.cli.text import catalogue, wrapping

_SPACING: Final = 2
_MARGIN: Final = 2
"""Columns that stay free at the right."""
_WIDEST: Final = 80
"""Columns of a page where nobody says otherwise, as for click."""
_LEAST: Final = 10
"""Columns that are left for a description, however wide what it describes is."""


class Formatter(click.HelpFormatter):
    """Lays out a page; click itself counts letters, and a Hangul syllable takes two columns."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        """As click's, which takes no terminal for narrower than 52 columns."""
        if width is None:
            import shutil  # which has every compression of archives with it

            columns = shutil.get_terminal_size().columns
            width = max(min(columns, max_width or _WIDEST) - _MARGIN, wrapping.NARROWEST)
        super().__init__(indent_increment, width, max_width)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        head = f"{prefix or catalogue.words('Usage:') + ' '}{prog} "
        indent = " " * wrapping.cells(head)
        if wrapping.cells(head) + _LEAST * 2 > self.width:
            indent = " " * 4
        self._write(wrapping.wrap(args, self.width, head=head, indent=indent))

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        indent = " " * self.current_indent
        paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
        for index, part in enumerate(paragraphs):
            if index:
                self.write("\n")
            self._write(wrapping.wrap(part, self.width, head=indent, indent=indent))

    def write_dl(
        self,
        rows: Iterable[tuple[str, str]],
        col_max: int = 30,
        col_spacing: int = _SPACING,
    ) -> None:
        """Write terms, each with its description beside it or below."""
        terms = list(rows)
        widest = max((wrapping.cells(term) for term, _ in terms), default=0)
        column = min(widest, col_max, max(self.width // 3, _LEAST)) + col_spacing
        margin = " " * self.current_indent
        for term, description in terms:
            indent = margin + " " * column
            head = margin + wrapping.pad(term, column)
            if wrapping.cells(term) > column - col_spacing and description:
                self.write(f"{margin}{term}\n")
                head = indent
            self._write(wrapping.wrap(description, self.width, head=head, indent=indent))

    def write_examples(self, lines: Iterable[str]) -> None:
        """Write command lines as they are; one that is too long is continued as a shell takes it."""
        for line in lines:
            bare = line.lstrip()
            margin = line[: len(line) - len(bare)]
            self._write(wrapping.command(bare, self.width, head=margin, indent=margin))

    def _write(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(f"{line.rstrip()}\n")


class Context(click.Context):
    """A context whose help is laid out by :class:`Formatter`."""

    formatter_class = Formatter
