"""Which deployments a process of this machine drives now: a lock on a file for each, which ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


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
    while True:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
        except OSError:
            path.unlink(missing_ok=True)
            os.close(handle)
            return None
        if _is_there(path, handle):
            return handle
        os.close(handle)  # whoever has left meanwhile has removed it


def _left(path: Path, handle: int) -> None:
    """Let go of the file; the last one removes it."""
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_there(path, handle):
            path.unlink()
    os.close(handle)


def _is_there(path: Path, handle: int) -> bool:
    """Whether a file that is open has its name still."""
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(handle))
    except OSError:
        return False


def is_watched(history: Path, deployment: str) -> bool:
    """Whether a process of this machine drives a deployment.

    Args:
        history: The history's file.
        deployment: The deployment's id.
    """
    try:
        handle = os.open(_file(history, deployment), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _file(history: Path, deployment: str) -> Path:
    name = "".join(letter for letter in deployment if letter.isalnum() or letter == "-")
    return history.with_name(f"{history.name}.watching") / name
