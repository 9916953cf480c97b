"""What a result depends on besides the repository: this program, and the Helm in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from hanbae import _version
from hanbae.charts import pools
from hanbae.repository import keeping

_WITHOUT: Final = frozenset({"cli", "locale", "sandbox", "__pycache__"})
"""Parts of the package that decide about no result."""


@cache
def program() -> str:
    """A fingerprint of the rules, the renderer and the Helm in it.

    A version alone would do for what was installed; a checkout changes without it, so names, sizes and times count.

    Raises:
        hanbae.errors.Lacking: The renderer has not been compiled.
    """
    renderer = pools.program().stat()
    ours = sorted(_stamps(str(Path(__file__).parent.parent)))
    return keeping.key(_version.version, f"{renderer.st_size} {renderer.st_mtime_ns}", *ours)


def _stamps(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in _WITHOUT:
                continue
            if entry.is_dir():
                yield from _stamps(entry.path)
            else:
                status = entry.stat()
                yield f"{entry.path} {status.st_size} {status.st_mtime_ns}"
