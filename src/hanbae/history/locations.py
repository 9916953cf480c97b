"""Where a history is, and who may read it.

A record holds what applications log; the redactor has been over it, but a log is nobody's business except its owner's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from hanbae import errors, subjects

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


def resolve(url: str, environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The file that a history's address means, and whether its folder is hanbae's own.

    Args:
        url: ``sqlite`` for the user's own history, ``sqlite:///relative`` or ``sqlite:////absolute`` for a file.
        environment: For ``XDG_STATE_HOME`` and ``HOME``.

    Raises:
        hanbae.errors.WrongUse: It is no such address, or one of a database that is not available yet.
    """
    if url in {"", "sqlite"}:
        home = environment.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(home).expanduser() / "hanbae" / "history.db", True
    parts = urlsplit(url)
    if parts.scheme in {"postgres", "postgresql"}:
        raise errors.WrongUse("history.not-available", scheme=parts.scheme)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < len("/x"):
        # The address is not repeated: it may hold a password.
        raise errors.WrongUse("history.bad-url", scheme=parts.scheme or "-")
    return Path(unquote(parts.path[1:])).expanduser(), False


def prepare(path: Path, *, own_folder: bool) -> None:
    """Make the file, or take it as it is, so that nobody else can read it.

    SQLite gives its two companions (``-wal``, ``-shm``) the rights of the file itself.

    Args:
        path: The file.
        own_folder: Whether its folder is hanbae's own; only then it is closed to others.

    Raises:
        hanbae.errors.FileFault: It cannot be made, or belongs to somebody else.
    """
    place = subjects.Place(str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        if own_folder:
            path.parent.chmod(_FOLDER_MODE)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE))
        for part in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            if part.exists():  # left by a crash, maybe of a program that was less careful
                part.chmod(_FILE_MODE)
    except OSError as error:
        raise errors.FileFault(
            "history.not-writable", place=place, why=error.strerror or type(error).__name__
        ) from None
