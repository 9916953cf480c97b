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
    found = importlib.util.find_spec("helm_python")
    libraries = [
        f"{each.name} {each.stat().st_size}"
        for place in (found and found.submodule_search_locations) or ()
        for each in sorted(Path(place, "lib").glob("*"))
    ]
    ours = sorted(_stamps(str(Path(__file__).parent.parent)))
    return keeping.key(_version.version, *libraries, *ours)


def _stamps(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for each in entries:
            if each.name in _WITHOUT:
                continue
            if each.is_dir():
                yield from _stamps(each.path)
            else:
                found = each.stat()
                yield f"{each.path} {found.st_size} {found.st_mtime_ns}"
