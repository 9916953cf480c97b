"""Opens the file of a history, and nothing else: what a file is, is known before anything about it is changed.

The address of a history can come from a checkout, so the file may be anything: a script of the user's, another
program's database, a link, or a database that was made to look like a history and does something else when it is
written to. None of them is touched.

A record holds what applications log; the redactor has been over it, but a log concerns its owner alone. So the file
can be read by its owner only.

SQLite's locks are POSIX locks: closing *any* descriptor of a file lets go of all locks that the process holds on it,
and another process then takes a database in use for an abandoned one (https://sqlite.org/howtocorrupt.html, 2.2). So
files are held by path descriptors (``O_PATH``), whose closing does nothing, and a header is only read while this
process has no connection to the file.

A write-ahead log needs memory that all its writers share, so on a file system of the network, which other machines may
use at the same time, a history has a rollback journal instead (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hanbae import files
from hanbae.history import protocol, schemas

BUSY: Final = protocol.BUSY
"""Seconds to wait for another process that is writing."""

_PAUSE: Final = 0.02
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_IDENTITY: Final = slice(68, 72)
"""Where the header has the application's id (https://sqlite.org/fileformat.html)."""
COMPANIONS: Final = ("-wal", "-shm", "-journal")
"""How the names of the files end that SQLite has beside a database."""
# With O_PATH, O_NOFOLLOW opens a link itself instead of failing; that it is one is seen by its
# mode.
_OPENING: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""Types of file systems that several machines may write to; those of ``fuse.`` may be anything."""
_MOUNTS: Final = Path("/proc/self/mountinfo")
_opening = threading.Lock()
_identities: set[tuple[int, int]] = set()
"""Device and inode of the files that this process has opened as histories: never read by other means again."""


class NotAFile(Exception):
    """A link, a folder or a device is where the file or one of its companions would be."""


class Busy(Exception):
    """Another process puts a history into the folder, and does not come to an end."""


class NoLocks(Exception):
    """The file system cannot lock files; the text is the system's reason."""


def connect(path: Path, *, own_folder: bool = False) -> sqlite3.Connection:
    """Open a history, make it where there is none, bring it up to date where it is older.

    Args:
        path: The file; its folder is made if need be.
        own_folder: Whether its folder is hanbae's own; only then it is closed to others.

    Raises:
        NotAFile: It is not an ordinary file.
        Busy: Another process makes one in its folder for too long.
        NoLocks: Files cannot be locked there, so two deployments could write at once.
        hanbae.history.schemas.NotAHistory: It is something of another program's, or does more than keep events.
        hanbae.history.schemas.Newer: A newer hanbae has written it.
        OSError: It cannot be made or opened, or belongs to somebody else.
        sqlite3.DatabaseError: It is damaged, or busy for too long.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
    if own_folder:
        path.parent.chmod(_FOLDER_MODE)
    _check_locks(path.parent)
    with _opening, _identified(path) as descriptor:
        ends = time.monotonic() + BUSY
        while True:
            connection = _opened(path)
            try:
                _prepare(connection, path, descriptor)
            except BaseException as error:
                connection.close()
                # Of several that make or leave a history at the same moment, SQLite refuses some at once, whatever
                # time it was given to wait (https://sqlite.org/wal.html#sometimes_queries_return_sqlite_busy).
                if not is_busy(error) or time.monotonic() > ends:
                    raise
                time.sleep(_PAUSE)
            else:
                return connection


def _prepare(connection: sqlite3.Connection, path: Path, descriptor: int) -> None:
    """Look what the file is, then make it the history that it is to be."""
    _distrust(connection)
    # One text that is no UTF-8 would end a whole query; whoever decodes it sees what it is.
    connection.text_factory = _text
    _check(connection, path, descriptor)
    _close_to_others(path, descriptor)
    journal = "DELETE" if _is_of_network(path) else "WAL"
    connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    # FULL: a commit is on the disk when it returns, which NORMAL does not promise under WAL.
    connection.execute("PRAGMA synchronous = FULL")
    schemas.migrate(connection)


def is_busy(error: BaseException) -> bool:
    """Whether another process has the file, or a part of it, for itself."""
    busy = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in busy


def _check_locks(folder: Path) -> None:
    """Lock a file of no name; SQLite would take an answer such as ``ENOLCK`` for another writer, and wait."""
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed below; to make it may fail for other reasons
    except OSError:
        return
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NoLocks(files.reason(error)) from None


def _is_of_network(path: Path) -> bool:
    """Whether a file is on a file system that other machines may use as well."""
    # mountinfo (proc(5)): the third field is the device, the type of the file system is the first
    # behind ` - `.
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if before.split(" ")[2:3] == [number]:
            kind = after.partition(" ")[0]
            return kind in _NETWORK or kind.startswith("fuse.")
    return False


def _opened(path: Path) -> sqlite3.Connection:
    # "rw": SQLite makes no file. The quoting is that of SQLite's URIs.
    name = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # `isolation_level=None`: sqlite3 begins no transaction of its own, since ours begin with BEGIN
    # IMMEDIATE. Threads take turns with the connection by the lock of `in_file.Database`.
    return sqlite3.connect(
        f"file:{name}?mode=rw",
        uri=True,
        timeout=BUSY,
        isolation_level=None,
        check_same_thread=False,
    )


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def _check(connection: sqlite3.Connection, path: Path, descriptor: int) -> None:
    """Look whether it is the file that was identified, and whether it only keeps events."""
    if not os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor)):
        raise schemas.NotAHistory  # another one has taken its place
    schemas.check(connection)


def _distrust(connection: sqlite3.Connection) -> None:
    """Have nothing run that the file's own schema brings.

    ``trusted_schema`` stays on: without it SQLite refuses our own ``CHECK (json_valid(event))``. The schema is compared
    as a whole instead, before anything is read from a table.
    """
    # A damaged page is found out when it is read, before its cells are believed.
    connection.execute("PRAGMA cell_size_check = ON")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)


@contextmanager
def _identified(path: Path) -> Iterator[int]:
    """The file, open, once its header says that it is a history; it is made whole or not at all."""
    descriptor = _held(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFile
        identity = (status.st_dev, status.st_ino)
        if identity not in _identities:
            _read_header(path, status)
            _identities.add(identity)
        # SQLite opens these by their names, so a link there would lead it to another file.
        for end in COMPANIONS:
            companion = path.with_name(path.name + end)
            if companion.is_symlink() or (companion.exists() and not companion.is_file()):
                raise NotAFile
        yield descriptor
    finally:
        os.close(descriptor)


def _held(path: Path) -> int:
    """A path descriptor of the file, which is made if it is not there."""
    while True:
        try:
            return os.open(path, _OPENING)
        except FileNotFoundError:
            _make(path)


def _read_header(path: Path, status: os.stat_result) -> None:
    """Look whether the header says that the file is a history."""
    # A named pipe that has taken the file's place since would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        header = os.pread(descriptor, _HEADER, 0)
        is_same = os.path.samestat(status, os.fstat(descriptor))
    finally:
        os.close(descriptor)
    number = struct.pack(">i", schemas.APPLICATION_ID)
    # Not the same: another file has taken the name between the two looks.
    if not is_same or not header.startswith(_MAGIC) or header[_IDENTITY] != number:
        raise schemas.NotAHistory


def _make(path: Path) -> None:
    """Put an empty history there, unless somebody else is faster.

    It is made beside its place and moved there as a whole, so that an empty file is never one of ours.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(descriptor)
    draft = Path(name)
    try:
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            schemas.migrate(connection)
        finally:
            # Closed before it is renamed: SQLite finds a database's journal by its name
            # (https://sqlite.org/howtocorrupt.html).
            connection.close()
        with _alone(path.parent), contextlib.suppress(FileExistsError):
            _set_aside(path)
            _move(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else puts a history into a folder meanwhile, as far as its file system has locks.

    Without it the log that is set aside may be one that another process has begun since there was no history.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            ends = time.monotonic() + BUSY
            while True:
                # Without LOCK_NB a process that never lets go would be waited for without an end.
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > ends:
                        raise Busy from None
                    time.sleep(_PAUSE)
        yield


def _set_aside(path: Path) -> None:
    """Rename what is left of a former database: SQLite would take its log for one of the new file's, and apply it."""
    for end in COMPANIONS:
        companion = path.with_name(path.name + end)
        if not path.exists() and companion.is_file() and not companion.is_symlink():
            companion.rename(companion.with_name(f"{companion.name}.of-a-former-history"))


def _move(source: Path, target: Path) -> None:
    """Rename a file, unless the new name is taken."""
    # Unlike a rename, a link fails where the name is taken, in one step.
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.is_symlink() or target.exists():
            raise FileExistsError(target) from None
        source.rename(target)


def _close_to_others(path: Path, descriptor: int) -> None:
    """SQLite gives companions that it makes the rights of the file; others are left by a crash."""
    _chmod(descriptor)
    for end in COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            companion = os.open(path.with_name(path.name + end), _OPENING)
            try:
                if stat.S_ISREG(os.fstat(companion).st_mode):
                    _chmod(companion)
            finally:
                os.close(companion)


def _chmod(descriptor: int) -> None:
    """Close a file to others; a path descriptor can be changed by its name in ``/proc`` alone."""
    Path(f"/proc/self/fd/{descriptor}").chmod(_FILE_MODE)
