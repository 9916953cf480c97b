"""Values that are another text in a rendered object than in their file."""

from __future__ import annotations

from msgspec import Struct

from hanbae import subjects
from hanbae.releases.objects import On


class Rewritten(Struct, frozen=True):
    """A value that is another text in a rendered object than in its file.

    Attributes:
        place: Where the value is written.
        source: Its text there.
        result: What became of it.
        on: The first text that has it.
        secret: Whether neither may be shown.
    """

    place: subjects.Place
    source: str
    result: str
    on: On
    secret: bool = False
