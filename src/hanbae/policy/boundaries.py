"""What the files of a checkout may lead to: the one module that follows their links.

Whoever can push a branch decides where its links lead.
Followed blindly they would have a build print the credentials in the clone's own configuration or a developer's
git-ignored secrets, and have reports written over files of the user's.
So a link leads to files of the repository, never to git's own, and never out of it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from hanbae import errors, patterns

_GITS_OWN: Final = ".git"
_PATH: Final = patterns.lazy(r"(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_MOST_LINKS: Final = 40
"""As many as the kernel follows."""


def inside(root: Path, path: Path) -> Path | None:
    """Where a path leads with all links followed; None where that is out of the repository, git's own, or nowhere.

    Args:
        root: The repository's root, itself without links.
        path: The path; what it leads to need not exist.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError):
        # A link that leads to itself is a RuntimeError up to Python 3.12; later ones return it.
        return None
    if not target.is_relative_to(root) or is_gits_own(target.relative_to(root).as_posix()):
        return None
    return None if _is_endless(target) else target


def _is_endless(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def is_gits_own(path: str) -> bool:
    """Whether a relative path is in git's own folder, however a file system without case would spell it."""
    return any(part.lower() == _GITS_OWN for part in path.split("/"))


def is_path(path: str) -> bool:
    """Whether it is a path inside the repository, and not of git's own folder, whose hooks are programs."""
    return bool(_PATH.fullmatch(path)) and not is_gits_own(path)


def output(path: Path) -> Path:
    """Where a file that the user names is written, with links followed.

    The user's own links lead wherever they lead, such as to ``/dev/stdout`` or a folder that builds share.
    A link in a checkout is the branch's, and must lead to something in that checkout.

    Args:
        path: The path as the user gave it, absolute or relative to the current folder.

    Raises:
        errors.Refused: A link of a checkout leads out of it, or into git's own folder.
        OSError: A link never ends.
    """
    # Part by part rather than by `resolve()`, because each link is judged by the checkout that it
    # lies in. Parts `..` are kept: behind a link they mean the folder above its target.
    real, waiting, links = Path("/"), list((Path.cwd() / path).parts[1:]), 0
    while waiting:
        part = waiting.pop(0)
        entry = real.parent if part == ".." else real / part
        if not entry.is_symlink():
            real = entry
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        root = _checkout(real)
        if root is not None and inside(root, entry) is None:
            raise errors.Refused("output.link-out", path=str(path), link=str(entry))
        target = entry.readlink()
        if target.is_absolute():
            real, waiting = Path("/"), [*target.parts[1:], *waiting]
        else:
            waiting = [*target.parts, *waiting]
    return real


def _checkout(folder: Path) -> Path | None:
    """The root of the clone that a real folder is in."""
    clones = (above for above in (folder, *folder.parents) if (above / _GITS_OWN).exists())
    return next(clones, None)
