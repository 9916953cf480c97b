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
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(
            OSError
        ):  # another process drives it as well, and will not for long
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def is_watched(history: Path, deployment: str) -> bool:
    """Whether a process of this machine drives a deployment.

    Args:
        history: The history's file.
        deployment: The deployment's id.
    """
    try:
        handle = os.open(_file(history, deployment), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
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
