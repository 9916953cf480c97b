"""The charts that other charts depend on, fetched once: ``$XDG_CACHE_HOME/hanbae/charts``.

An archive is kept under the digest of its content, and read only if it still has it. Which archive a version of a
repository is, is a kept result (:mod:`hanbae.repository.keeping`): only the user can put it there, so that a cache
which CI jobs share between branches brings no branch another one's chart.
Files appear whole and are never changed, so that whoever reads meets no half of one, and two may fetch at once.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from hanbae import errors, files, patterns
from hanbae.repository import keeping

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of an archive; Helm allows 100 MiB unpacked, and charts of a megabyte are rare."""
_FOLDER: Final = "charts"
_BLOBS: Final = "sha256"
_ARCHIVE: Final = ".tgz"
_LONGEST: Final = 1024
"""Bytes that are read of what a key leads to, which is a digest."""
_DIGEST: Final = patterns.lazy(r"[0-9a-f]{64}")


def find(repository: str, name: str, version: str) -> bytes | None:
    """A fetched chart; None where it was not fetched, or is no longer what it was.

    Args:
        repository: The address of its repository, as the chart or its lock says it.
        name: Its name.
        version: Exactly its version.
    """
    cache = keeping.opened(_FOLDER)
    digest = (
        (cache.get(_key(repository, name, version)) or b"").decode("ascii", "replace")
        if cache
        else ""
    )
    if cache is None or not _DIGEST.fullmatch(digest):
        return None
    try:
        data = files.ordinary(_blob(cache.folder, digest), most=LARGEST)
    except OSError:
        return None
    return data if data is not None and hashlib.sha256(data).hexdigest() == digest else None


def put(repository: str, name: str, version: str, archive: bytes) -> str:
    """Keep a fetched chart.

    Args:
        repository: As for :func:`find`.
        name: As for :func:`find`.
        version: As for :func:`find`.
        archive: The archive.

    Returns:
        Its digest: ``sha256:…``.

    Raises:
        hanbae.errors.Failed: It cannot be kept.
    """
    digest = hashlib.sha256(archive).hexdigest()
    cache = keeping.opened(_FOLDER)
    if cache is None:
        raise errors.Failed("dependencies.no-cache", reason=_FOLDER)
    blob = _blob(cache.folder, digest)
    try:
        # The archive before the key that leads to it: who finds the key finds the archive as well.
        blob.parent.mkdir(mode=0o700, exist_ok=True)
        files.replace(blob, archive, mode=0o600)
    except OSError as error:
        raise errors.Failed("dependencies.no-cache", reason=files.reason(error)) from error
    cache.put(_key(repository, name, version), digest.encode())
    return f"sha256:{digest}"


def stamp() -> str:
    """What is kept now, for results that depend on it: the same only while nothing comes or goes.

    Not by when files were written: looking for a chart once a day says so of them, that they are not cleared away.
    """
    cache = keeping.opened(_FOLDER)
    hashed = hashlib.sha256()
    for folder in sorted(cache.folder.iterdir()) if cache is not None else ():
        try:
            entries = sorted((entry.name, _content(entry)) for entry in os.scandir(folder))
        except OSError:
            continue
        hashed.update(repr((folder.name, entries)).encode("utf-8", "surrogateescape"))
    return hashed.hexdigest()


def _content(entry: os.DirEntry[str]) -> bytes:
    """What a key leads to; nothing of an archive, which is named by its digest."""
    if entry.name.endswith(_ARCHIVE):
        return b""
    try:
        with open(entry.path, "rb") as file:  # noqa: PTH123  an entry has its path as text
            return file.read(_LONGEST)
    except OSError:
        return b""


def _key(repository: str, name: str, version: str) -> str:
    return keeping.key("chart", repository.rstrip("/"), name, version)


def _blob(folder: Path, digest: str) -> Path:
    return folder / _BLOBS / f"{digest}{_ARCHIVE}"
