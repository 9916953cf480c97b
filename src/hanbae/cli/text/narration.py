"""What hanbae says while it works: on stderr, one line per meaning, colours only on a terminal.

stdout carries data only.
Callers say what a line *means*; how it looks is decided here.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from hanbae.cli.text import catalogue, wrapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hanbae import errors, wording


class Narration:
    """Speaks to a person on stderr.

    Args:
        stream: Where to; stderr by default.
        color: True or False to decide, None for "only on a terminal" (``NO_COLOR`` is honoured).
    """

    def __init__(self, *, stream: TextIO | None = None, color: bool | None = None) -> None:
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.color = self.terminal and "NO_COLOR" not in os.environ if color is None else color

    def step(self, text: wording.Text) -> None:
        """Something begins."""
        self._line(click.style("▸ ", fg="cyan"), text)

    def succeed(self, text: wording.Text) -> None:
        """Something has ended well."""
        self._line(click.style("✔ ", fg="green"), text)

    def note(self, text: wording.Text) -> None:
        """Something worth knowing."""
        self._line("  ", text)

    def warn(self, text: wording.Text) -> None:
        """Something that may become trouble."""
        self._line(click.style("! ", fg="yellow", bold=True), text)

    def fail(self, text: wording.Text) -> None:
        """Something has ended badly."""
        self._line(click.style("✘ ", fg="red", bold=True), text)

    def fail_worded(self, sentence: str) -> None:
        """Something has ended badly, worded already."""
        self._lines(click.style("✘ ", fg="red", bold=True), sentence)

    def faults(self, faults: Iterable[errors.Error]) -> None:
        """Why parts of what was asked for are missing from what was shown."""
        for fault in faults:
            self.error(catalogue.fault(fault))

    def error(self, message: str) -> None:
        """Why a command failed, worded already."""
        mark = click.style(catalogue.words("error"), fg="red", bold=True)
        self._lines(f"{mark}: ", message)

    @property
    def width(self) -> int:
        """Columns that lines may take; without a terminal there is no bound."""
        return wrapping.width(self.stream, fallback=wrapping.ENDLESS)

    def line(self, words: str) -> None:
        """A line that is worded and laid out already, such as a log line of the cluster's."""
        # Callers style in any case; click strips the styles where `color` is False.
        click.echo(words, file=self.stream, color=self.color)

    def ask(self, text: wording.Text) -> None:
        """A question that is answered with yes or no; the cursor stays behind it."""
        click.echo(f"{catalogue.sentence(text)} [y/N]: ", file=self.stream, nl=False)

    def _line(self, mark: str, text: wording.Text) -> None:
        self._lines(mark, catalogue.sentence(text))

    def _lines(self, head: str, sentence: str) -> None:
        for line in wrapping.paragraph(sentence, self.width, head=head, indent="  "):
            self.line(line)
