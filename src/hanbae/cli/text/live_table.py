"""A table that stays in its place on a terminal while what it shows changes."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich import console, live, text


class Redrawn:
    """Draws over what it has drawn before; what was drawn last stays when it ends.

    Args:
        width: Columns; None for the terminal's.
    """

    def __init__(self, *, width: int | None = None) -> None:
        paper = console.Console(
            file=sys.stdout, width=width, color_system=None, highlight=False, markup=False
        )
        self._live = live.Live(
            console=paper,
            auto_refresh=False,
            # rich would send what is written to sys.stderr meanwhile to this console, hence to stdout.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def draw(self, words: str) -> None:
        """Draw lines in place of the last ones; what the terminal has no room for is left out."""
        self._live.update(text.Text(words, no_wrap=True, overflow="ellipsis"), refresh=True)
