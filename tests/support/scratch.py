"""Where tests that run on every core keep their files: in memory, where the machine has enough of it.

They write 176,000 files and wait for the disk 39,000 times; on a virtual machine's disk that is a seventh of the run.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  a place to look at; pytest makes a folder of its own in it
_OF_A_WORKER: Final = 1024**3
"""Bytes; half of that was seen, with the databases and control planes that some tests start."""
_SYSTEM: Final = Path("/proc/meminfo")
_GROUP: Final = Path("/sys/fs/cgroup")


def variables(workers: int, folder: Path = _MEMORY) -> dict[str, str]:
    """The variables that move temporary files there; none where there is too little room or programs cannot run.

    Args:
        workers: How many processes run tests.
        folder: A folder in memory.
    """
    try:
        system = os.statvfs(folder)
    except OSError:
        return {}
    is_usable = os.access(folder, os.W_OK) and not system.f_flag & os.ST_NOEXEC
    room = min(system.f_bavail * system.f_frsize, *_free(_SYSTEM, _GROUP))
    return {"TMPDIR": str(folder)} if is_usable and room >= workers * _OF_A_WORKER else {}


def _free(system: Path, group: Path) -> Iterator[int]:
    """Bytes of memory that are free: of the machine, and of a container's limit."""
    with contextlib.suppress(OSError):
        match = re.search(r"^MemAvailable: +(\d+) kB$", system.read_text(), re.MULTILINE)
        yield int(match[1]) * 1024 if match else 0
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        limit = int((group / "memory.max").read_text())
        yield limit - int((group / "memory.current").read_text())
