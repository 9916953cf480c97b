"""Which clone a folder is in, and whether its owner is trusted: the one place that opens git repositories.

A policy steers where secrets are sealed for and where tokens go, and a clone's configuration can have programs run.
So neither is read when another user wrote it, unless the user has told git to trust that clone.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hanbae import errors, subjects
from hanbae.policy import loose_objects

if TYPE_CHECKING:
    import pygit2

_FOREIGN: Final = "not owned by current user"
"""What libgit2 says where git says "dubious ownership"."""


def discover(path: Path, *, examined: bool = False) -> pygit2.Repository | None:
    """The repository that a folder is in; None where it is in none.

    Args:
        path: The folder.
        examined: Whether the process that started this one has just looked for damage.

    Raises:
        errors.WrongUse: It cannot be opened. A clone of another user's is refused as git refuses it: its configuration
            could have programs run. So could that of a folder which a branch brings and which looks like a repository.
    """
    import pygit2

    folder = str(path)
    try:
        discovered = pygit2.discover_repository(folder)
        if discovered is None:
            return None
        # From here on messages name the repository rather than where the search began.
        folder = discovered
        repository = pygit2.Repository(folder)
        _refuse_embedded(path, repository)
        if not examined:
            _refuse_damaged(repository)
    except (pygit2.GitError, OSError, ValueError) as error:  # libgit2's codes become any of these
        if _FOREIGN in str(error):
            root = Path(folder).parent if Path(folder).name == ".git" else Path(folder)
            raise errors.WrongUse(
                "repository.foreign", folder=str(root), quoted=shlex.quote(str(root))
            ) from error
        raise errors.WrongUse("repository.broken", folder=folder, reason=str(error)) from error
    return repository


@contextmanager
def readable(folder: str | Path) -> Iterator[None]:
    """What libgit2 cannot read of a clone as an error with words: an object that is gone, a damaged index.

    Args:
        folder: The clone.

    Raises:
        errors.WrongUse: It is damaged, or was cloned without everything that is asked for.
    """
    import pygit2

    try:
        yield
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:  # libgit2's codes become any
        reason = str(error) or type(error).__name__
        raise errors.WrongUse("repository.broken", folder=str(folder), reason=reason) from error


def refuse_foreign(file: Path) -> None:
    """Refuse a file that somebody else has put there, such as a policy in a folder above that all may write to.

    Args:
        file: The file; there is one.

    Raises:
        errors.WrongUse: It belongs to another user, and is not in a clone that git trusts.
    """
    # Of the link itself, not of what it leads to: the link decides what is read.
    owner = file.lstat().st_uid
    if owner in _own():
        return
    # In a clone it is for git to say: safe.directory is how users share them.
    if discover(file.parent) is None:
        place = subjects.Place(str(file))
        raise errors.WrongUse("policy.foreign", place=place, file=file.name)


def _refuse_embedded(path: Path, repository: pygit2.Repository) -> None:
    """Refuse a repository that is not in a ``.git``: such a folder can be committed, with its configuration.

    It is what git does where ``safe.bareRepository`` is ``explicit``.
    """
    import pygit2

    start = path.resolve()
    tops = (above for above in (start, *start.parents) if os.path.lexists(above / ".git"))
    top = next(tops, None)
    if top is None and repository.is_bare:
        return  # the user's own, in which there is nothing to read
    # libgit2 takes the nearest folder with HEAD, objects and refs in it, also one that a branch has
    # brought. The folder with a `.git` is where the clone really begins, so both have to be the same one.
    if top is None or pygit2.discover_repository(str(top)) != pygit2.discover_repository(str(path)):
        raise errors.WrongUse("repository.embedded", folder=repository.path)


def _refuse_damaged(repository: pygit2.Repository) -> None:
    path = loose_objects.damaged(repository.path)
    if path is not None:
        raise _corrupt(repository, path.parent.name + path.name)


def refuse_damaged(repository: pygit2.Repository, name: str) -> None:
    """Refuse an object that is cut off, before libgit2 reads it.

    Args:
        repository: The clone.
        name: The object's full id.

    Raises:
        errors.WrongUse: It is.
    """
    if loose_objects.is_damaged(repository.path, name):
        raise _corrupt(repository, name)


def _corrupt(repository: pygit2.Repository, name: str) -> errors.WrongUse:
    folder, reason = repository.path, f"loose object {name} is corrupt"
    return errors.WrongUse("repository.broken", folder=folder, reason=reason)


def _own() -> set[int]:
    """The user, and under sudo the one who called it, as git has it."""
    own = {os.geteuid()}
    caller = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and caller.isdecimal():
        own.add(int(caller))
    return own
