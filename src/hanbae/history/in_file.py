"""A history in a SQLite file."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from hanbae import errors, files, subjects
from hanbae.history import database_files, protocol, schemas, watching

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_LOOK: Final = 0.2
"""Seconds between two looks whether somebody has written."""


class Database:
    """A SQLite file; see :class:`hanbae.history.protocol.Database`.

    Args:
        path: The file; it is made if it is not there.
        own_folder: Whether its folder is hanbae's own.

    Raises:
        hanbae.errors.FileFault: It is damaged, another program's, or written by a newer hanbae; its file system is
            full, or cannot lock files.
        hanbae.errors.Unreachable: Another process holds it for too long.
    """

    def __init__(self, path: Path, *, own_folder: bool = False) -> None:
        self.place = subjects.Place(str(path))
        self.address = f"sqlite:///{quote(str(path.absolute()))}"
        self._path = path
        self._lock = threading.Lock()
        with self._translated():
            self._connection = database_files.connect(path, own_folder=own_folder)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def rows(self, query: str, values: Mapping[str, object]) -> protocol.Rows:
        """What a query yields."""
        with self._lock, self._translated():
            return self._connection.execute(query, values).fetchall()

    def transaction(
        self, work: Callable[[protocol.Execute], protocol.T], *, deployment: str
    ) -> protocol.T:
        """Run statements while nobody else writes to the file."""

        def execute(statement: str, values: Mapping[str, object]) -> protocol.Rows:
            return self._connection.execute(statement, values).fetchall()

        with self._lock, self._translated():
            # IMMEDIATE takes the right to write at once. A transaction that has read first and
            # writes then is refused without waiting where somebody has written in between.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(execute)
                self._connection.execute("COMMIT")
            except BaseException:
                # After some failures, such as a full disk, SQLite has rolled back by itself; a
                # second ROLLBACK would be the error that is told.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

    def watching(self, deployment: str) -> AbstractContextManager[None]:
        """Mark a deployment as driven by this process, by a lock on a file beside the history."""
        return watching.watching(self._path, deployment)

    def is_watched(self, deployment: str) -> bool:
        """Whether a process of this machine drives a deployment."""
        return watching.is_watched(self._path, deployment)

    def wait(self, seconds: float) -> None:
        """Look a few times a second whether another connection has written."""
        until = time.monotonic() + seconds
        version = self._version()
        # What was written between the caller's last look and this call is not noticed here; it is
        # found at the end of the wait.
        while (remaining := until - time.monotonic()) > 0 and version == self._version():
            time.sleep(min(_LOOK, remaining))

    def _version(self) -> int:
        """A number that changes when another connection has written."""
        ((version,),) = self.rows("PRAGMA data_version", {})
        return int(version)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's failures as ours."""
        try:
            yield
        except schemas.Newer:
            raise errors.FileFault("history.newer", place=self.place) from None
        except schemas.NotAHistory:
            raise errors.FileFault("history.not-a-history", place=self.place) from None
        except database_files.NotAFile:
            raise errors.FileFault("history.not-a-file", place=self.place) from None
        except database_files.Busy:
            raise errors.Unreachable("history.busy", file=str(self._path)) from None
        except database_files.NoLocks as error:
            raise errors.FileFault("history.no-locks", place=self.place, why=str(error)) from None
        except OSError as error:
            text_id = "history.full" if error.errno in _FULL else "history.not-writable"
            raise errors.FileFault(text_id, place=self.place, why=files.reason(error)) from None
        except sqlite3.OperationalError as error:
            if database_files.is_busy(error):
                raise errors.Unreachable("history.busy", file=str(self._path)) from None
            text_id = _operational(error, self._path.parent)
            raise errors.FileFault(text_id, place=self.place, why=str(error)) from None
        except sqlite3.DatabaseError as error:
            raise errors.FileFault("history.damaged", place=self.place, why=str(error)) from None


def _operational(error: sqlite3.OperationalError, folder: Path) -> str:
    """What SQLite could not do: a full disk may also be an I/O error, and JSON that is none a wrong query."""
    # The low byte is the kind of failure; what is above it says more exactly which.
    code = error.sqlite_errorcode & 0xFF
    if code == sqlite3.SQLITE_IOERR:
        with contextlib.suppress(OSError):
            code = code if os.statvfs(folder).f_bavail else sqlite3.SQLITE_FULL
    names = {sqlite3.SQLITE_FULL: "history.full", sqlite3.SQLITE_ERROR: "history.damaged"}
    return names.get(code, "history.not-writable")
