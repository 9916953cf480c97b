"""Foreign text, cut to what a sentence, a cell or a record has room for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SENTENCE: Final = 600
"""Characters that are kept of another program's sentence; admission webhooks and Helm write novels."""
READ: Final = 16 * 1024
"""Bytes of an answer that are looked at for such a sentence."""


def clipped(text: str, longest: int) -> str:
    """A text of at most so many characters; an ellipsis is the last one where it was cut."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def one_line(
    text: str, longest: int = SENTENCE, *, redact: Callable[[str], str] | None = None
) -> str:
    """A text without line breaks and repeated spaces, of at most so many characters.

    Args:
        text: The text.
        longest: How many characters are kept; see :func:`clipped`.
        redact: Takes secrets out, before half of one could be cut off and no longer be recognised.
    """
    line = " ".join(text.split())
    return clipped(redact(line) if redact else line, longest)
