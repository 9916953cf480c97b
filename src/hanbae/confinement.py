"""What a process gives up before it touches what it should not be trusted with.

A worker that reads foreign bytes gives up memory, time and files; a process that holds a plaintext secret gives up
its core dump, which would be that secret in a file.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Final

# PR_SET_PDEATHSIG and PR_SET_DUMPABLE of <linux/prctl.h>, which Python's standard library has no
# names for.
_PDEATHSIG: Final = 1
_SET_DUMPABLE: Final = 4


def confine(*, memory: int, cpu: int, files: int = 64) -> None:
    """Make this process a worker: bounded, writing no files, and gone when its parent is.

    Args:
        memory: Address space in bytes.
        cpu: Seconds of processor time; the kernel ends the process that takes more.
        files: Open files.
    """
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        # This bounds files and not pipes, so a worker's answers still go out.
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, files),
    ):
        bound(limit, value)
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    _prctl(_PDEATHSIG, signal.SIGKILL)


def bound(limit: int, value: int, *, process: int = 0) -> None:
    """Bound what a process may take; where it may take less already, that stays, for nobody may raise it again.

    Args:
        limit: Which, such as ``resource.RLIMIT_CPU``.
        value: How much.
        process: Its id; 0 for this one.

    Raises:
        ProcessLookupError: It has ended.
    """
    _, hard = resource.prlimit(process, limit)
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.prlimit(process, limit, (lowest, lowest))


def forbid_core_dumps() -> None:
    """Keep this process's memory out of core dumps, and away from debuggers of the same user, until it ends.

    The limit alone is not enough: a ``core_pattern`` that pipes to a program is run whatever the limit is.
    The hard limit stays: whoever embeds hanbae may start other programs afterwards.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    _prctl(_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
