"""Results that are kept between runs, by the digest of everything that they depend on.

A key is a digest of content, so nobody's repository can put something under another's key without having the same
content.
The folder is the user's alone; an entry is written under another name and renamed, so concurrent runs only ever see
whole ones.
It begins with an authentication code over its name and content, made with a secret of the user's that lies outside the
folder: CI jobs share caches between branches, and what another one has written there, or damage, is as good as nothing.
What is kept is never needed: whatever goes wrong here is silence, and the result is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hanbae import files

_DIGEST: Final = 32
_SECRET: Final = 32
_KEY_FILE: Final = "results.key"
_LARGEST: Final = 16 * 1024 * 1024
_MOST_BYTES: Final = 512 * 1024 * 1024
"""All entries together, after a cleaning."""
_OLDEST: Final = 30 * 24 * 3600.0
"""Seconds after which an entry that nobody has read goes."""
# A file's time says when its entry was last read; it is written anew once a day at most.
_TOUCHED: Final = 24 * 3600.0
_CLEANED: Final = 3600.0
_MARKER: Final = "cleaned"


def key(*parts: str | bytes) -> str:
    """The key of what depends on these parts; each counts with its length, so that none runs into the next."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.hexdigest()


class Cache:
    """A folder of results. Made by :func:`opened`.

    Args:
        folder: The folder, which is there and the user's alone.
        secret: What only the user knows, to tell entries of the user's from all others.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        self.folder = folder
        self._secret = secret
        self._folder = str(folder)
        self._wrote = False

    def is_empty(self) -> bool:
        """Whether nothing is kept, as in a clone of a CI job that restores no cache."""
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            return not any(entry.name != _MARKER for entry in entries)
        return True

    def get(self, name: str) -> bytes | None:
        """The result under a key; None if there is none, or none that is whole and was put there by this user."""
        path = f"{self._folder}/{name[:2]}/{name}"
        try:
            # Without O_NONBLOCK, a named pipe in its place would be waited for.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            with os.fdopen(handle, "rb", buffering=0, closefd=False) as file:
                data = file.read()
            if time.time() - status.st_mtime > _TOUCHED:
                os.utime(handle)
        except OSError:
            return None
        finally:
            os.close(handle)
        content = data[_DIGEST:]
        return content if hmac.compare_digest(data[:_DIGEST], self._code(name, content)) else None

    def put(self, name: str, content: bytes) -> None:
        """Keep a result, unless that fails or it is very large."""
        if len(content) > _LARGEST - _DIGEST:
            return
        folder = f"{self._folder}/{name[:2]}"
        with contextlib.suppress(OSError):
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            data = self._code(name, content) + content
            # Not durable: what a crash leaves half written has no code that fits, and is computed again.
            files.replace(Path(folder, name), data, mode=0o600, durable=False)
            self._wrote = True

    def _code(self, name: str, content: bytes) -> bytes:
        """The authentication code of an entry; of its name as well, so that no entry does for another."""
        return hmac.digest(self._secret, f"{name}\n".encode() + content, "sha256")

    def clean(self) -> None:
        """Remove what is old, and the oldest of what is too much; at most once in an hour, and after a change."""
        marker = Path(self._folder, _MARKER)
        with contextlib.suppress(OSError):
            if not self._wrote or (
                marker.exists() and time.time() - marker.stat().st_mtime < _CLEANED
            ):
                return
            # Before the cleaning, so that of several runs at the same time one does it.
            marker.touch()
            clean(Path(self._folder))


def clean(folder: Path, *, most: int = _MOST_BYTES, oldest: float = _OLDEST) -> None:
    """Remove entries.

    Args:
        folder: The folder of results.
        most: Bytes that may stay.
        oldest: Seconds since an entry was read.
    """
    remaining, now = most, time.time()
    for changed, size, path in sorted(_entries(folder), reverse=True):
        remaining -= size
        if remaining < 0 or now - changed > oldest:
            with contextlib.suppress(OSError):
                path.unlink()


def _entries(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.glob("??/*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                yield status.st_mtime, status.st_size, path


def opened(name: str = "results") -> Cache | None:
    """The user's kept results: ``$XDG_CACHE_HOME/hanbae/results``; None where there can be none.

    Args:
        name: Name of the folder in hanbae's cache.
    """
    try:
        base = _xdg("XDG_CACHE_HOME", ".cache")
        base.mkdir(parents=True, exist_ok=True)
        for folder in (base / "hanbae", base / "hanbae" / name):
            folder.mkdir(mode=0o700, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return reopened(folder)


def reopened(folder: Path) -> Cache | None:
    """Results in a folder that is there, such as the one that another process has opened; None where it is not safe.

    Args:
        folder: The folder.
    """
    try:
        status = folder.lstat()
        is_private = stat.S_ISDIR(status.st_mode) and _is_private(status)
        secret = _secret() if is_private else None
    except (OSError, RuntimeError):
        return None
    return Cache(folder, secret) if secret is not None else None


def _xdg(variable: str, otherwise: str) -> Path:
    configured = Path(os.environ.get(variable, ""))
    # The XDG specification: a relative path is invalid and to be ignored.
    return configured if configured.is_absolute() else Path.home() / otherwise


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077


def _secret() -> bytes | None:
    """The secret of this user on this machine, made at first use; None where others could know or replace it.

    It lies with the user's state and not in the cache, which CI systems restore from what other jobs have saved.
    """
    folder = _xdg("XDG_STATE_HOME", ".local/state") / "hanbae"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    around = folder.lstat()
    others_may_write = stat.S_IMODE(around.st_mode) & 0o022
    if not stat.S_ISDIR(around.st_mode) or around.st_uid != os.geteuid() or others_may_write:
        return None
    path = folder / _KEY_FILE
    if not os.path.lexists(path):
        _make_secret(path)
    # O_NONBLOCK, because a named pipe in its place would have this wait for somebody who writes.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or not _is_private(status):
            return None
        secret = file.read(_SECRET + 1)
    return secret if len(secret) == _SECRET else None


def _make_secret(path: Path) -> None:
    """Make the secret whole or not at all; of two runs that do so at once, the first one's stays."""
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SECRET))
        # A link, unlike a rename, never replaces what is there: two runs would else go on with two secrets.
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        Path(unfinished).unlink()
