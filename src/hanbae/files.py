"""Replaces a file in one step: a reader meets the old content or the new one, never half of it.

Everything that hanbae writes goes through :func:`replace`, so that a crash, a full disk or a second process leaves
whole files whatever command was running. A file that was there keeps its permissions, and its owner where the system
lets it; a new one has those that the user's umask asks for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

# Short whatever the file's own name is: names may have 255 bytes, and a Korean letter has three.
_UNFINISHED: Final = ".hanbae-"
_TRIES: Final = 100


def replace(
    path: Path, data: bytes | str, *, mode: int | None = None, durable: bool = True
) -> None:
    """Give a file new content in one step.

    A link is replaced by the file: who wants to write to where it leads resolves the path first.

    Args:
        path: The file; its folder must exist.
        data: The content; text is written as UTF-8.
        mode: Permissions; by default those of the file that is there, else what the umask leaves of 0666.
        durable: Whether the content is on the disk, under its name, when this returns; without it only the order is
            certain.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    with replacing(path, mode=mode, durable=durable) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int | None = None, durable: bool = True) -> Iterator[BinaryIO]:
    """Like :func:`replace`, for content that is written piece by piece.

    Yields:
        A file to write to; it takes the name when the block ends without an error.
    """
    present = _present(path) if mode is None else None
    # Nobody else may open the file until its permissions are set, so a key's content is never
    # readable to others in between. Unlike open, fchmod ignores the umask.
    handle, unfinished = _create(path.parent, 0o666 if mode is None and present is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if present is not None:
                mode = _hand_over(file.fileno(), present, path.parent)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            # Content before name: in the other order, a crash could leave an empty file under the
            # file's name.
            if durable:
                os.fsync(file.fileno())
        unfinished.replace(path)
    # Not only errors: Ctrl-C must not leave an unfinished file behind either.
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def replace_all(contents: Mapping[Path, str]) -> None:
    """Give several files new content: all of them, or none where one is refused.

    What can be refused is written beside them first; Ctrl-C and SIGTERM wait for the moment in which they change.

    Args:
        contents: The files, whose folders must exist → text, written as UTF-8.

    Raises:
        OSError: One cannot be written, which is the error's ``filename``; all of them are as they were.
    """
    with contextlib.ExitStack() as stack:
        # Read before anything changes: it is what is put back where a later file cannot take its
        # name.
        former = {path: _former(path) for path in contents}
        fresh = {path: stack.enter_context(_beside(path, text)) for path, text in contents.items()}
        with _undisturbed():
            _rename_all(fresh, former)
        for folder in dict.fromkeys(path.parent for path in contents):
            _sync_folder(folder)


@contextlib.contextmanager
def locked(folders: Iterable[Path]) -> Iterator[None]:
    """Have others that lock one of the same folders wait until the block ends.

    Folders are locked, not files, which are replaced, nor lock files, which would lie about. They are locked in one
    order, so that no two commands wait for each other; a block must not lock one of them again.

    Args:
        folders: Folders that are there.

    Raises:
        OSError: One cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        for folder in sorted({folder.resolve() for folder in folders}):
            # The lock goes with the descriptor, so it ends with this process however that ends.
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ordinary(path: Path, *, most: int) -> bytes | None:
    """The content of an ordinary file, for one that a branch may have put there.

    Args:
        path: The file.
        most: Bytes that it may have.

    Returns:
        None where there is none, where a link, a folder or a device is in its place, and where it has more.

    Raises:
        OSError: It cannot be read.
    """
    # Without O_NONBLOCK, opening a named pipe that a branch has put there would wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link
            return None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None


def reason(error: BaseException) -> str:
    """Why the system refused something, in its words: ``No space left on device``."""
    return getattr(error, "strerror", None) or type(error).__name__


def diff(path: str, old: str, new: str) -> str:
    """The difference of two texts in unified form; empty where there is none.

    Args:
        path: How the file is called in the difference's head.
        old: The text before.
        new: The text after.
    """
    import difflib

    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a newline ends one, as git has it."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line]


def _present(path: Path) -> os.stat_result | None:
    """The file that is to be replaced; None where there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    # A link's own permissions, which are always 0777 on Linux, say nothing about the file to be
    # written.
    return status if stat.S_ISREG(status.st_mode) else None


def _hand_over(handle: int, present: os.stat_result, folder: Path) -> int:
    """Give a new file the owner and the group of the one that it replaces.

    Under root, as with sudo and in containers with a user's clone, that user could else not read it any more.

    Returns:
        The permissions that it is to have: those of the other file, but for the group's where the system lets the
        group not be kept: they were meant for another one.
    """
    mode = stat.S_IMODE(present.st_mode)
    own = os.fstat(handle)
    if (own.st_uid, own.st_gid) == (present.st_uid, present.st_gid):
        return mode
    around = folder.stat()
    is_shared = around.st_mode & stat.S_ISVTX and around.st_mode & stat.S_IWOTH
    if is_shared and present.st_uid not in {own.st_uid, around.st_uid}:
        # In /tmp anybody may have made a file of this name before us, to be given what we write.
        return mode & ~(stat.S_IWGRP | stat.S_IWOTH)
    # The group by itself as well: whoever is in it may give the file to it, and only root gives it to another user.
    for user in (present.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(handle, user, present.st_gid)
            return mode
    others = mode & stat.S_IRWXO
    return mode & ~(stat.S_ISGID | stat.S_IRWXG) | mode & stat.S_IRWXG & others << 3


def _create(folder: Path, mode: int) -> tuple[int, Path]:
    """A new file of a name that nothing has; the kernel applies the umask to its permissions."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(_TRIES):
        path = folder / f"{_UNFINISHED}{os.urandom(8).hex()}"
        with contextlib.suppress(FileExistsError):
            return os.open(path, flags, mode), path
    raise FileExistsError(str(folder))


_Former = bytes | Path | None
"""What was at a path: a file's content, where a link led, or nothing."""


def _former(path: Path) -> _Former:
    try:
        return path.readlink() if path.is_symlink() else path.read_bytes()
    except FileNotFoundError:
        return None


def _put_back(path: Path, former: _Former) -> None:
    if former is None:
        path.unlink()
    elif isinstance(former, Path):
        path.unlink()
        path.symlink_to(former)
    else:
        replace(path, former)


@contextlib.contextmanager
def _beside(path: Path, text: str) -> Iterator[Path]:
    """A file's new content under another name; it is taken away unless it has taken the file's name by the end."""
    present = _present(path)
    with _naming(path):
        handle, unfinished = _create(path.parent, 0o666 if present is None else 0o600)
    try:
        with _naming(path), os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            if present is not None:
                os.fchmod(file.fileno(), _hand_over(file.fileno(), present, path.parent))
            os.fsync(file.fileno())
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an error name the file that is to be written, not the one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _rename_all(fresh: Mapping[Path, Path], former: Mapping[Path, _Former]) -> None:
    renamed: list[Path] = []
    try:
        for path, unfinished in fresh.items():
            with _naming(path):
                unfinished.replace(path)
            renamed.append(path)
    except OSError:
        # Ctrl-C and SIGTERM cannot end this half-way: they are held back (`_undisturbed`).
        for path in reversed(renamed):
            with contextlib.suppress(OSError):  # the first error is the one to be told
                _put_back(path, former[path])
        raise


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM waiting."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Within the try: a signal that came just before has its handler run by this very call, and
        # what that raises must not leave the signals blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk as well; file systems that cannot sync folders are let be.

    So is a folder in which one may write and not read: the file has its new content already.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
