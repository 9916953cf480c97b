"""The files that a check reads: those of a commit, or those that would be committed now.

A working tree has files that git does not: ``values.yaml`` above all, which is ignored on purpose.
Argo CD never sees them, so a check must not either.
"""

from __future__ import annotations

import contextlib
import os
import stat
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from hanbae import errors, files, subjects
from hanbae.policy import boundaries, clones, folders
from hanbae.repository import ignore_patterns, index_entries

if TYPE_CHECKING:
    import pygit2

LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes of one file that a check looks into; the largest Secret, sealed, is about 2 MiB."""

UNREADABLE: Final = "unreadable"
"""The id of a file that cannot be read."""

SUBMODULE: Final = "submodule:"
"""What the id of a submodule begins with: it is listed like a file, and refused when it is read."""
_SUBMODULE: Final = 0o160000
_LINK: Final = 0o120000
_OF_GIT: Final = frozenset({".gitattributes", ".gitignore", ".gitmodules"})
"""Names of files that libgit2 reads by itself."""
_MARKS: Final = {_SUBMODULE: SUBMODULE, _LINK: "link:"}


class Tree(Protocol):
    """Files by path from the repository's root, with ``/``."""

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder: path from the root → an id of its content, equal only for equal content.

        The root itself is ``.`` or empty. Links are not followed; their ids begin with ``link:``.
        """

    def linked(self, path: str) -> str | None:
        """The folder that a link leads to, from the root; None for what is no link to a folder.

        Raises:
            hanbae.errors.FileFault: The link leads out of the repository, or never ends.
        """

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none.

        Raises:
            hanbae.errors.FileFault: It is too large, or a link leads out of the repository.
        """

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder: path from the root → what it says that it leads to."""


def commit_of(tree: Tree) -> str:
    """The full id of the commit that a tree is of; empty for a working tree."""
    commit = getattr(tree, "commit", "")
    return commit if isinstance(commit, str) else ""


class Subtree:
    """A folder of a tree as a tree of its own.

    Args:
        tree: The tree.
        folder: The folder; empty for the whole tree.

    Attributes:
        prefix: The folder with a ``/`` at its end; empty for the whole tree.
    """

    def __init__(self, tree: Tree, folder: str) -> None:
        self._tree = tree
        self.prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""

    @property
    def commit(self) -> str:
        """The commit that the files are of; empty for a working tree."""
        return commit_of(self._tree)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`Tree`."""
        return self._cut(self._tree.files(self.prefix + ("" if folder == "." else folder)))

    def read(self, path: str) -> bytes | None:
        """The content of a file; see :class:`Tree`."""
        try:
            return self._tree.read(self.prefix + path)
        except errors.FileFault as fault:
            place = subjects.Place(path)
            raise errors.FileFault(fault.text.id, place=place, **fault.text.facts) from fault

    def linked(self, path: str) -> str | None:
        """The folder that a link leads to; see :class:`Tree`."""
        target = self._tree.linked(self.prefix + path)
        if target is not None and not f"{target}/".startswith(self.prefix):
            raise errors.FileFault("repository.link-out", place=subjects.Place(path), revision="-")
        return None if target is None else target[len(self.prefix) :]

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""
        return self._tree.ignored(self.prefix + path)

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder; see :class:`Tree`."""
        return self._cut(self._tree.links(self.prefix + ("" if folder == "." else folder)))

    def _cut(self, by_path: Mapping[str, str]) -> Mapping[str, str]:
        cut = len(self.prefix)
        return {path[cut:]: value for path, value in by_path.items()}


class Overlaid:
    """A tree with some files as they would be if they were written.

    Args:
        tree: The files that are there.
        changed: Path from the root → content, also of files that are not there.
    """

    def __init__(self, tree: Tree, changed: Mapping[str, bytes]) -> None:
        self._tree = tree
        self._changed = dict(changed)

    @property
    def commit(self) -> str:
        """The commit that the files are of; empty for a working tree."""
        return commit_of(self._tree)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """See :class:`Tree`."""
        import hashlib  # loads all of OpenSSL

        own = {
            path: f"written:{hashlib.sha256(content).hexdigest()}"
            for path, content in self._changed.items()
            if folders.holds(folder, path)
        }
        return {**self._tree.files(folder), **own}

    def linked(self, path: str) -> str | None:
        """See :class:`Tree`."""
        return self._tree.linked(path)

    def read(self, path: str) -> bytes | None:
        """See :class:`Tree`."""
        content = self._changed.get(path)
        return self._tree.read(path) if content is None else content

    def ignored(self, path: str) -> bool:
        """See :class:`Tree`."""
        return self._tree.ignored(path)

    def links(self, folder: str = "") -> Mapping[str, str]:
        """See :class:`Tree`."""
        return self._tree.links(folder)


class Listing(Struct, frozen=True):
    """What a working tree was found to have, for another process: to find it takes as long as all imports.

    All in the system's bytes, since neither paths nor where links lead need be text.

    Attributes:
        files: Path → id of the content.
        links: The files that may be links.
        unwatched: The files of which the index counts, and not what lies there.
    """

    files: dict[bytes, bytes]
    links: tuple[bytes, ...]
    unwatched: tuple[bytes, ...]


class WorkingTree:
    """What git would commit of a folder: tracked files as they are now, and untracked ones that are not ignored.

    Args:
        root: The folder; it may be a clone's root, a folder in one, or no clone at all.
        listing: What another process has just found there; None to look.

    Attributes:
        root: The folder.
        prefix: Its path from the clone's root, with a ``/`` at its end; empty for the root itself, and for no clone.
        repository: The clone; None for no clone.
    """

    def __init__(self, root: Path, listing: Listing | None = None) -> None:
        self.root = root.resolve()
        self._perhaps_links: set[str] = set()
        self._unwatched: frozenset[str] = frozenset()
        self.repository, self.prefix = _clone(self.root, examined=listing is not None)
        self._patterns: ignore_patterns.IgnorePatterns | None = None
        with clones.readable(self.root):
            if listing is not None:
                self._files = self._taken_over(listing)
            elif self.repository is not None:
                self._files = self._listed(self.repository)
            else:
                self._files = self._walked()
        # Sorted (`_listed`), as `below` needs them.
        self._paths = list(self._files)

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`Tree`."""
        if folder in ("", "."):
            return self._files
        return below(self._paths, self._files, folder)

    def linked(self, path: str) -> str | None:
        """The folder that a link leads to; see :class:`Tree`."""
        target = self.root / path
        try:
            resolved = target.resolve()
            if not target.is_dir():
                return None
        except (OSError, RuntimeError) as error:
            reason = files.reason(error)
            place = subjects.Place(path)
            raise errors.FileFault("repository.unreadable", place=place, reason=reason) from error
        if not resolved.is_relative_to(self.root):
            raise errors.FileFault("repository.link-out", place=subjects.Place(path), revision="-")
        folder = resolved.relative_to(self.root).as_posix()
        if folder != "." and not below(self._paths, self._files, folder):
            raise _unlisted(path, folder)
        return folder

    def read(self, path: str) -> bytes | None:
        """The content of a file; see :class:`Tree`."""
        if path not in self._files:
            return None
        target = f"{self.root}/{path}"
        place = subjects.Place(path)
        if self._files[path].startswith(SUBMODULE):
            raise errors.FileFault("repository.submodule", place=place, revision="-")
        if path in self._unwatched and self.repository is not None:
            with clones.readable(self.repository.path):
                blob = self._files[path]
                refuse_large(self.repository.odb.read_header(blob)[1], path)
                clones.refuse_damaged(self.repository, blob)
                return bytes(self.repository.odb.read(blob)[1])
        try:
            # Git lists nothing below a link, so only what is a link itself can lead anywhere.
            is_link = self._files[path].startswith("link:")
            if is_link:
                self._refuse_unlisted(path, Path(target).resolve())
            # A named pipe is opened without waiting for somebody to write to it, and refused as any other oddity.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if is_link else os.O_NOFOLLOW)
            with open(os.open(target, flags), "rb", buffering=0) as file:  # noqa: PTH123  faster
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise errors.FileFault("values.not-a-file", place=place)
                # Room for the largest file takes longer to get than most files take to read. A file may still grow.
                data = file.read(min(status.st_size, LARGEST_FILE) + 1)
                if len(data) > status.st_size:
                    data += file.read(LARGEST_FILE + 1 - len(data))
        except (OSError, RuntimeError) as error:
            reason = files.reason(error)
            raise errors.FileFault("repository.unreadable", place=place, reason=reason) from error
        refuse_large(len(data), path)
        return data

    def _refuse_unlisted(self, path: str, target: Path) -> None:
        """A link may only show what git has: not its own configuration, nor what it ignores."""
        if not target.is_relative_to(self.root):
            raise errors.FileFault("repository.link-out", place=subjects.Place(path), revision="-")
        file = target.relative_to(self.root).as_posix()
        # What is no file is said by the reading itself, in better words.
        if file not in self._files and (target.is_file() or boundaries.is_gits_own(file)):
            raise _unlisted(path, file)

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""
        if self.repository is None:
            return True  # nothing here can be committed by mistake
        if self._patterns is None:
            with clones.readable(self.repository.path):
                entries = index_entries.of(self.repository)
                self._patterns = ignore_patterns.IgnorePatterns(self.repository, entries)
        self._patterns.refuse_slow(self.prefix + path)
        with clones.readable(self.repository.path):
            return bool(self.repository.path_is_ignored(self.prefix + path))

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder; see :class:`Tree`."""
        targets = {}
        for path in self._perhaps_links & self.files(folder).keys():
            with contextlib.suppress(OSError):  # it is no link any more
                targets[path] = (self.root / path).readlink().as_posix()
        return dict(sorted(targets.items()))

    def listing(self) -> Listing:
        """What it has, for another process that looks at the same."""
        encode = os.fsencode
        return Listing(
            {encode(path): encode(content) for path, content in self._files.items()},
            tuple(map(encode, self._perhaps_links)),
            tuple(map(encode, self._unwatched)),
        )

    def _taken_over(self, listing: Listing) -> dict[str, str]:
        decode = os.fsdecode
        self._perhaps_links = set(map(decode, listing.links))
        self._unwatched = frozenset(map(decode, listing.unwatched))
        return {decode(path): decode(content) for path, content in listing.files.items()}

    def _walked(self) -> dict[str, str]:
        self._perhaps_links = {
            str(Path(folder, name).relative_to(self.root))
            for folder, folders, names in os.walk(self.root)
            for name in [*_only_folders(folder, folders), *names]
            if Path(folder, name).is_symlink()
        }
        walked = {
            str(Path(folder, name).relative_to(self.root)): _stamp(Path(folder, name))
            for folder, folders, names in os.walk(self.root)
            for name in [*_only_folders(folder, folders), *names]
            if _is_content(Path(folder, name))
        }
        return dict(sorted(walked.items()))

    def _listed(self, repository: pygit2.Repository) -> dict[str, str]:
        import pygit2

        gone = pygit2.enums.FileStatus.WT_DELETED
        quiet = pygit2.enums.FileStatus.IGNORED
        untracked, new = pygit2.enums.FileStatus.INDEX_DELETED, pygit2.enums.FileStatus.WT_NEW
        root = Path(repository.workdir)
        entries = index_entries.of(repository)
        self._patterns = ignore_patterns.IgnorePatterns(repository, entries)
        listing, links = self._indexed(root, entries)
        cut = len(self.prefix)
        unwatched = {entry.path for entry in entries if not entry.is_watched} - links
        self._unwatched = frozenset(path[cut:] for path in unwatched & listing.keys())
        # Before the next call, in which libgit2 holds every untracked file against the patterns.
        self._patterns.refuse_slow_over(entry.path for entry in entries)
        changed = repository.status(untracked_files="all")
        for path, status in changed.items():
            if not path.startswith(self.prefix) or status & quiet or path.endswith("/"):
                continue
            if path in unwatched:
                continue
            # Git leaves a submodule alone while there is a folder for it, whatever is in that.
            if listing.get(path, "").startswith(SUBMODULE) and os.path.isdir(root / path):  # noqa: PTH112  no error where a folder may not be entered
                continue
            if status & untracked and not status & new:
                continue  # taken out of the index, and ignored from now on: the next commit is without it
            if path in listing and _is_out_of_reach(root / path):
                listing[path] = UNREADABLE  # git would commit it as it was
            elif status & gone or not os.path.lexists(root / path):
                listing.pop(path, None)
            else:
                listing[path] = _stamp(root / path)
        self._perhaps_links = {path[cut:] for path in links | changed.keys()}
        return {path[cut:]: content for path, content in sorted(listing.items())}

    def _indexed(
        self, root: Path, entries: Iterable[index_entries.Entry]
    ) -> tuple[dict[str, str], set[str]]:
        """The index below the folder, and which of it are links.

        An unchanged file is a link when the index says so; whether a changed one is, only the file says.
        """
        listing: dict[str, str] = {}
        links: set[str] = set()
        for path, content, mode, _ in entries:
            mark = _MARKS.get(mode, "")
            is_link = mark == _MARKS[_LINK]
            if is_link and path.rpartition("/")[2] in _OF_GIT:
                _refuse_odd(root, path)
            if path.startswith(self.prefix):
                listing[path] = f"{mark}{content}"
                if is_link:
                    links.add(path)
        return listing, links


def _unlisted(path: str, target: str) -> errors.FileFault:
    return errors.FileFault("repository.link-unlisted", place=subjects.Place(path), target=target)


def _clone(root: Path, *, examined: bool) -> tuple[pygit2.Repository | None, str]:
    """The clone that a folder is in, and the folder's path in it with a ``/`` at its end."""
    repository = clones.discover(root, examined=examined)
    if repository is None:
        return None, ""
    if repository.is_bare or repository.workdir is None:
        return None, ""
    relative = root.relative_to(Path(repository.workdir).resolve())
    return repository, "" if relative == Path() else f"{relative.as_posix()}/"


def _refuse_odd(root: Path, path: str) -> None:
    """Refuse a link in the place of a file that libgit2 reads to its end, such as one to ``/dev/zero``.

    Git does not follow these at all.
    """
    target = boundaries.inside(root.resolve(), root / path)
    if target is None or (target.exists() and not target.is_file()):
        raise errors.FileFault("repository.link-of-git", place=subjects.Place(path))


def id_of(data: bytes) -> str:
    """The id that a listing has of a file with this content; of a link it is another one."""
    import pygit2

    return str(pygit2.hash(data))


def refuse_large(size: int, path: str) -> None:
    """Refuse a file that is too large to be looked at.

    Args:
        size: Its size in bytes.
        path: Where it is.

    Raises:
        errors.FileFault: It is.
    """
    if size > LARGEST_FILE:
        limit = str(LARGEST_FILE // 1024)
        place = subjects.Place(path)
        raise errors.FileFault("repository.file-too-large", place=place, limit=limit)


def text(tree: Tree, path: str) -> str | None:
    """The text of a file; None where there is none, it may not be read, or it is no text."""
    with contextlib.suppress(errors.FileFault, UnicodeDecodeError):
        data = tree.read(path)
        return None if data is None else data.decode("utf-8-sig")
    return None


def below(paths: Sequence[str], files: Mapping[str, str], folder: str) -> dict[str, str]:
    """The part of a listing below a folder, without looking at the rest.

    Args:
        paths: The listing's paths, sorted.
        files: The listing.
        folder: The folder.
    """
    start = folder.rstrip("/")
    # What begins with "folder/" sorts between "folder/" and "folder0", the character after the slash.
    first, last = bisect_left(paths, f"{start}/"), bisect_left(paths, f"{start}0")
    return {path: files[path] for path in paths[first:last]}


def _only_folders(folder: str, folders: list[str]) -> list[str]:
    """Leave folders to walk into, without git's own and links; the links, which are files to git."""
    links = [name for name in folders if Path(folder, name).is_symlink()]
    folders[:] = sorted(name for name in folders if name != ".git" and name not in links)
    return links


def _is_content(path: Path) -> bool:
    """Whether git would take it for a file: no folder, no pipe, but a link to either."""
    return path.is_symlink() or path.is_file()


def _is_out_of_reach(path: Path) -> bool:
    """Whether nobody can tell if there is a file, for the folder cannot be entered."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _stamp(path: Path) -> str:
    """An id of a changed file's content: git's own, so that committing it changes nothing."""
    import pygit2

    try:
        if path.is_symlink():
            return f"link:{path.readlink()}"
        return str(pygit2.hashfile(str(path)))
    except (OSError, pygit2.GitError):
        return UNREADABLE
