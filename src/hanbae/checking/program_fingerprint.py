"""What a result depends on besides the repository: this program, and the Helm in it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from hanbae import _version
from hanbae.repository import keeping

_WITHOUT: Final = frozenset({"cli", "locale", "sandbox", "__pycache__"})
"""Parts of the package that decide about no result."""


@cache
def program() -> str:
    """A fingerprint of the rules, the renderer and the Helm in it.

    A version alone would do for what was installed; a checkout changes without it, so names, sizes and times count.
    """
    spec = importlib.util.find_spec("helm_python")
    libraries = [
        f"{library.name} {library.stat().st_size}"
        for place in (spec and spec.submodule_search_locations) or ()
        for library in sorted(Path(place, "lib").glob("*"))
    ]
    ours = sorted(_stamps(str(Path(__file__).parent.parent)))
    return keeping.key(_version.version, *libraries, *ours)


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
