"""Where tests that run on every core keep their files: in memory, where the machine has enough of it.

They write 176,000 files and wait for the disk 39,000 times; on a virtual machine's disk that is a seventh of the run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  a place to look at; pytest makes a folder of its own in it
_ENOUGH: Final = 4 * 1024**3
"""Bytes; tests take less than one of these GiB at a time, but containers often have 64 MiB."""


def variables(folder: Path = _MEMORY, enough: int = _ENOUGH) -> dict[str, str]:
    """The variables that move temporary files there; none where there is too little room or programs cannot run.

    Args:
        folder: A folder in memory.
        enough: Bytes that must be free.
    """
    try:
        system = os.statvfs(folder)
    except OSError:
        return {}
    is_usable = os.access(folder, os.W_OK) and not system.f_flag & os.ST_NOEXEC
    return (
        {"TMPDIR": str(folder)} if is_usable and system.f_bavail * system.f_frsize >= enough else {}
    )
