"""Folders that are built once and then trusted: how the sandbox keeps its programs.

A folder is filled under another name and renamed when it is complete, so that one with the right name is
always whole, whatever was interrupted.
Its ``manifest.json`` holds each file's SHA-256.

On use, a file whose size and modification time are those of the manifest is taken as unchanged; only
when they differ is it hashed again.
This finds damage (a truncated disk, a stray write) in milliseconds instead of the seconds that hashing a
gigabyte takes.
It is no protection against somebody who can write there, and hashing would be none either: that is what
the ownership is checked for, since who may change a file may change the manifest beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hanbae import errors, files

MANIFEST = "manifest.json"
_STAGING = ".staging-"


class Recorded(msgspec.Struct, frozen=True):
    """A file as it was when its folder was completed; `link` is a symbolic link's target."""

    size: int = 0
    modified_ns: int = 0
    sha256: str = ""
    link: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """Every file of a folder, by its path in it."""

    files: dict[str, Recorded]


def root() -> Path:
    """Where everything of the sandbox is kept, made if missing: ``$XDG_CACHE_HOME/hanbae/sandbox``.

    Raises:
        errors.Refused: The folder belongs to another user, or others may write to it.
    """
    # The XDG specification: a relative path is invalid and to be ignored.
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = configured if configured.is_absolute() else Path.home() / ".cache"
    base.mkdir(parents=True, exist_ok=True)
    (base / "hanbae").mkdir(mode=0o700, exist_ok=True)
    return private(base / "hanbae" / "sandbox")


def private(folder: Path) -> Path:
    """Make `folder` with mode 0700, or make sure that an existing one is the user's alone.

    Raises:
        errors.Refused: It is a link, belongs to another user, or is open to others.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.geteuid()
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise errors.Refused("sandbox.cache-not-private", folder=str(folder))
    return folder


@contextmanager
def locked(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Exclude other builders; call `waiting` once if there is one, then wait for its end.

    The lock is the kernel's: it ends with the process that holds it, however that ends.
    """
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def store(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a fresh folder and put it at `folder`, whole, in place of an older one."""
    staging = folder.with_name(f"{_STAGING}{folder.name}")
    remove(staging)
    private(staging)
    try:
        fill(staging)
        _write(staging / MANIFEST, Manifest({name: _record(path) for name, path in _walk(staging)}))
        # rename(2) does not replace a folder that has something in it.
        remove(folder)
        staging.rename(folder)
        _sync(folder.parent)
    finally:
        remove(staging)


def intact(folder: Path) -> bool:
    """Whether `folder` is complete and unchanged; refreshes its manifest when only the times differ.

    Raises:
        errors.Refused: It is not the user's alone.
    """
    if not folder.exists():
        return False
    private(folder)
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return False
    touched: dict[str, Recorded] = {}
    for name, recorded in manifest.files.items():
        try:
            entry = _look(folder / name)
            if entry == msgspec.structs.replace(recorded, sha256=""):
                continue
            entry = _record(folder / name)
        except OSError:
            return False
        if (entry.sha256, entry.link) != (recorded.sha256, recorded.link):
            return False
        touched[name] = entry
    if touched:
        _write(folder / MANIFEST, Manifest(manifest.files | touched))
    return True


def remove(folder: Path) -> None:
    """Remove a folder and what is in it; nothing happens if there is none."""
    if folder.exists():
        shutil.rmtree(folder)


def sweep(folder: Path) -> None:
    """Remove what interrupted builders left in `folder`; only under the lock."""
    for leftover in folder.glob(f"{_STAGING}*"):
        remove(leftover)


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _look(path: Path) -> Recorded:
    """What can be known without reading the file."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Recorded(link=str(path.readlink()))
    return Recorded(size=status.st_size, modified_ns=status.st_mtime_ns)


def _record(path: Path) -> Recorded:
    entry = _look(path)
    if entry.link:
        return entry
    with path.open("rb") as file:
        return msgspec.structs.replace(
            entry, sha256=hashlib.file_digest(file, "sha256").hexdigest()
        )


def _write(path: Path, manifest: Manifest) -> None:
    files.replace(path, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def _sync(folder: Path) -> None:
    """Make renames in `folder` last over a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
