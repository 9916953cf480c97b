"""Puts files into a repository without ever losing what a person wrote.

Every file appears whole or not at all, and is only replaced when the caller says that it may be; so an interrupted
command is simply run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hanbae import errors, files, subjects
from hanbae.policy import boundaries
from hanbae.results.files import FileChange

LARGEST: Final = 1024 * 1024
"""Bytes of a file that is read to be written anew, or changed; what hanbae writes has some kilobytes."""


def place(
    root: Path, contents: Mapping[str, str], *, overwrite: bool = False, check: bool = False
) -> tuple[FileChange, ...]:
    """Write files.

    Args:
        root: The repository.
        contents: Path relative to `root`, with ``/`` → text.
        overwrite: Whether a file that differs is replaced; else it is kept and the difference returned.
        check: Touch nothing, and call ``stale`` what would have been written.

    Returns:
        One entry per file, in the order given.

    Raises:
        errors.FileFault: A file is in the way that is not text or too large, or a folder cannot be written to.
    """
    # Before the first file is written: a link that leads elsewhere leaves all of them as they were.
    for path in contents:
        _refuse_outside(root, path)
    return tuple(
        _change(root, path, text, overwrite=overwrite, check=check)
        for path, text in contents.items()
    )


def append_line(root: Path, path: str, line: str) -> FileChange:
    """Make sure that a line-based file, such as ``.gitignore``, has a line; what is there stays as it is.

    Raises:
        errors.FileFault: As `place`.
    """
    _refuse_outside(root, path)
    present = _read(root, path)
    if present is None:
        _write(root, path, line + "\n")
        return FileChange(path, "created")
    if line in present.splitlines():
        return FileChange(path, "unchanged")
    text = present if present.endswith("\n") or not present else present + "\n"
    text += line + "\n"
    _write(root, path, text)
    return FileChange(path, "changed", files.diff(path, present, text))


def remove(root: Path, path: str, *, check: bool = False) -> FileChange:
    """Delete a file that hanbae generated and no longer generates.

    Raises:
        errors.FileFault: As `place`.
    """
    _refuse_outside(root, path)
    diff = files.diff(path, _read(root, path) or "", "")
    if check:
        return FileChange(path, "stale", diff)
    try:
        (root / path).unlink(missing_ok=True)
    except OSError as error:
        raise unusable(path, error) from error
    return FileChange(path, "deleted", diff)


def read(root: Path, path: str) -> str | None:
    """The text of a file; None where there is none.

    Raises:
        errors.FileFault: It is not text, too large, or a link leads out of the repository.
    """
    _refuse_outside(root, path)
    return _read(root, path)


def _change(root: Path, path: str, text: str, *, overwrite: bool, check: bool) -> FileChange:
    present = _read(root, path)
    if present == text:
        return FileChange(path, "unchanged")
    diff = "" if present is None else files.diff(path, present, text)
    if check:
        return FileChange(path, "stale", diff)
    if present is not None and not overwrite:
        return FileChange(path, "kept", diff)
    _write(root, path, text)
    return FileChange(path, "created" if present is None else "changed", diff)


def _read(root: Path, path: str) -> str | None:
    target = root / path
    try:
        if target.exists() and not target.is_file():  # reading a named pipe would wait for ever
            raise errors.FileFault("placing.not-a-file", place=subjects.Place(path))
        with target.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            limit = str(LARGEST // 1024)
            raise errors.FileFault("placing.too-large", place=subjects.Place(path), limit=limit)
        return data.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise errors.FileFault("placing.not-text", place=subjects.Place(path)) from error
    except OSError as error:
        raise unusable(path, error) from error


def _write(root: Path, path: str, text: str) -> None:
    """Replace a file in one step; the permissions of one that is there are kept."""
    target = root / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        files.replace(target, text)
    except OSError as error:
        raise unusable(path, error) from error


def _refuse_outside(root: Path, path: str) -> None:
    """A symlink in the repository must not lead the reading or writing elsewhere."""
    if boundaries.inside(root.resolve(), root / path) is None:
        raise errors.FileFault("placing.outside", place=subjects.Place(path))


def unusable(path: str, error: OSError) -> errors.FileFault:
    """What is said of a file that the system lets nobody read or write.

    Args:
        path: Relative to the repository.
        error: Why.
    """
    place = subjects.Place(path)
    return errors.FileFault("placing.unwritable", place=place, reason=files.reason(error))
