"""Which clone a folder is in, and whether its owner is trusted: the one place that opens git repositories.

A policy steers where secrets are sealed for and where tokens go, and a clone's configuration can have programs run.
So neither is read when another user wrote it, unless the user has told git to trust that clone.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hanbae import errors, patterns, subjects
from hanbae.policy import loose_objects

if TYPE_CHECKING:
    import pygit2

LEADING: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_QUARANTINE_PATH",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""What says where a repository is (``git rev-parse --local-env-vars``), but for its configuration.

A hook of git's has these, and they would lead git to another repository than the one that is read here.
"""
_FOREIGN: Final = "not owned by current user"
"""What libgit2 says where git says "dubious ownership"."""
_ASKING: Final = 10.0
"""Seconds that git may take to say whether it trusts a clone."""
_VERSION: Final = patterns.lazy(rb"git version ([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")
_LOOKS_AT_OWNERS: Final = (2, 35, 2)
"""The first git that asks whose a clone is; an older one says nothing by reading it."""
_UNVALIDATED: Final = threading.Lock()
_LINK: Final = b"gitdir:"
_LONGEST_LINK: Final = 65536
_REWRITTEN: Final = {
    "'sdir'": "git sparse-checkout reapply --no-sparse-index",
    "'link'": "git update-index --no-split-index",
    "extensions.refstorage": "git refs migrate --ref-format=files",
}
"""What libgit2 says of forms of git's that it cannot read → the command that has git write the usual one."""
_OBJECT: Final = patterns.lazy(
    r"^(?:(?:Unable to read tree )?'?|object not found - no match for id \()([0-9a-f]{40})[')]?$"
)
"""What is said of an object that is not there: its id, as a key or of a tree."""
_SHA256: Final = "unknown object format"


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
        _refuse_lost(path)
        if discovered is None:
            return None
        # From here on messages name the repository rather than where the search began.
        folder = discovered
        repository = _opened(path, discovered)
        _refuse_embedded(path, repository)
        if not examined:
            _refuse_damaged(repository)
    except (pygit2.GitError, OSError, ValueError) as error:  # libgit2's codes become any of these
        raise _unreadable(folder, str(error)) from error
    return repository


def _opened(path: Path, discovered: str) -> pygit2.Repository:
    """The repository that a folder is in.

    It is opened from the folder, not from its ``.git``: where that is a link, or a file that leads elsewhere, only the
    way there says where the working tree is.

    Args:
        path: The folder.
        discovered: The repository's own folder.
    """
    import pygit2

    try:
        return pygit2.Repository(str(path))
    except pygit2.GitError as error:
        if _FOREIGN not in str(error):
            raise
        root = str(_top(path) or Path(discovered))
        if not _is_trusted(root, os.path.realpath(discovered)):
            raise errors.WrongUse(
                "repository.foreign", folder=root, quoted=shlex.quote(root)
            ) from error
    # The setting is the whole process's, so one thread at a time changes it.
    with _UNVALIDATED:
        pygit2.settings.owner_validation = False
        try:
            return pygit2.Repository(str(path))
        finally:
            pygit2.settings.owner_validation = True


@lru_cache(maxsize=64)  # a clone is opened several times in a run
def _is_trusted(root: str, discovered: str) -> bool:
    """Whether git itself trusts a clone of another user's.

    libgit2 knows less of ``safe.directory`` than git: neither ``GIT_CONFIG_GLOBAL`` and ``GIT_CONFIG_COUNT``, which
    images for CI set, nor patterns such as ``/builds/*``.
    """
    version = _VERSION.match(_said_by_git("version") or b"")
    if version is None or tuple(int(part or 0) for part in version.groups()) < _LOOKS_AT_OWNERS:
        return False
    # Where git passes over this clone and finds another one around it, it has said nothing of this one.
    answered = _said_by_git("-C", root, "rev-parse", "--absolute-git-dir")
    return answered is not None and os.path.realpath(os.fsdecode(answered)) == discovered


def _said_by_git(*words: str) -> bytes | None:
    """The line that git says; None where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in LEADING}
    try:
        answer = subprocess.run(
            ["git", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_ASKING,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.removesuffix(b"\n") if answer.returncode == 0 else None


def _top(path: Path) -> Path | None:
    """The nearest folder with a ``.git``, where a clone begins; None where there is none."""
    start = path.resolve()
    tops = (above for above in (start, *start.parents) if os.path.lexists(above / ".git"))
    return next(tops, None)


def _refuse_lost(path: Path) -> None:
    """Refuse a linked working tree or a submodule without the repository that its ``.git`` leads to.

    So it is in a container into which only the working tree is mounted. Taken for no clone at all, all that git
    ignores would be looked at.
    """
    top = _top(path)
    if top is None or not (top / ".git").is_file():
        return
    with (top / ".git").open("rb") as file:
        content = file.read(_LONGEST_LINK)
    if not content.startswith(_LINK):
        return  # libgit2 says that it is malformed
    target = top / os.fsdecode(content.removeprefix(_LINK).strip())
    if not os.path.lexists(target / "HEAD"):
        raise errors.WrongUse("repository.lost", folder=str(top), target=str(target))


def _unreadable(folder: str, reason: str) -> errors.WrongUse:
    """What is said of a clone that libgit2 cannot read, with the command that mends it where there is one."""
    for form, command in _REWRITTEN.items():
        if form in reason:
            return errors.WrongUse("repository.other-form", folder=folder, command=command)
    if _SHA256 in reason:
        return errors.WrongUse("repository.sha256", folder=folder)
    return errors.WrongUse("repository.broken", folder=folder, reason=reason)


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
        # libgit2 fetches nothing by itself, as git does for a clone made with --filter.
        missing = _OBJECT.search(reason)
        if missing is not None and _is_partial(Path(folder)):
            raise errors.WrongUse(
                "repository.partial", folder=str(folder), name=missing[1]
            ) from error
        raise _unreadable(str(folder), reason) from error


def _is_partial(folder: Path) -> bool:
    """Whether a clone was made with ``--filter``, so that git fetches contents when they are asked for."""
    import pygit2

    with suppress(pygit2.GitError, OSError, ValueError, errors.WrongUse):
        repository = discover(folder, examined=True)
        if repository is not None:
            names = (entry.name for entry in repository.config)
            return any(re.fullmatch(r"remote\..*\.promisor", name) for name in names)
    return False


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

    top = _top(path)
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
