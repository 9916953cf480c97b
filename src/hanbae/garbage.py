"""How often Python looks for objects that refer to each other and to which nothing else refers."""

from __future__ import annotations

import gc
from typing import Final

_OBJECTS: Final = 200_000
"""New objects after which it looks: more than the imports of a command make, which all stay."""


def collect_rarely() -> None:
    """Have this process look less often than by default: nearly nothing that a command lets go is such a cycle."""
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
