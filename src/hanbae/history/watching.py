"""Which deployments a process of this machine drives now: a lock on a file for each, which ends with its process.

Drivers share the lock, so whoever takes over has it before the other has left; to look is to try to have it alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PATIENCE: Final = 5.0
"""Seconds to wait for a turn, each of which takes a few calls of the system."""
_PAUSE: Final = 0.001
"""Seconds between two attempts to have it."""


@contextlib.contextmanager
def watching(history: Path, deployment: str) -> Iterator[None]:
    """Mark a deployment as driven by this process; where that cannot be written, nothing is marked.

    Args:
        history: The history's file.
        deployment: The deployment's id.
    """
    path = _file(history, deployment)
    handle = _entered(path)
    try:
        yield
    finally:
        if handle is not None:
            _left(path, handle)


def _entered(path: Path) -> int | None:
    """The file with our lock, beside those of others who drive the deployment; None where it cannot be had."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with _turn(path.parent):
            return _locked(path, os.O_CREAT, fcntl.LOCK_SH)
    except OSError:
        return None


def _left(path: Path, handle: int) -> None:
    """Let go of the file; the last one removes it."""
    try:
        with contextlib.suppress(OSError), _turn(path.parent):
            # Our shared lock becomes an exclusive one only where no other driver has it too.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # In our turn nobody else is opening it, who would be left with a lock on a file without
            # a name.
            path.unlink()
    finally:
        os.close(handle)


def is_watched(history: Path, deployment: str) -> bool:
    """Whether a process of this machine drives a deployment; also where somebody's turn does not end, so nobody knows.

    Args:
        history: The history's file.
        deployment: The deployment's id.
    """
    path = _file(history, deployment)
    try:
        with _turn(path.parent):
            os.close(_locked(path, 0, fcntl.LOCK_EX))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Enter, leave or look while nobody else does: a refused lock is a driver's then, never that of a look.

    Raises:
        OSError: There is no such folder, its files cannot be locked, or somebody else's turn does not end.
    """
    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            handle = _locked(folder / ".lock", os.O_CREAT, fcntl.LOCK_EX)
            break
        except BlockingIOError:
            if time.monotonic() > ends:
                raise
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(handle)


def _locked(path: Path, creating: int, kind: int) -> int:
    """A file with a lock that is had at once or not at all."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | creating
    handle = os.open(path, flags, 0o600)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _file(history: Path, deployment: str) -> Path:
    # The id comes out of a history that anybody may have written: it must not lead out of the
    # folder.
    name = "".join(letter for letter in deployment if letter.isalnum() or letter == "-")
    return history.with_name(f"{history.name}.watching") / name
