"""What a branch has ever held: each content of a kind of files once, with the commit that brought it in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from hanbae import errors
from hanbae.policy import clones
from hanbae.repository import checkouts, revisions

if TYPE_CHECKING:
    import pygit2

LARGEST_FILE: Final = 2 * 1024 * 1024
"""Bytes of one content that is read."""
_MOST_SIZES: Final = 250_000
"""Trees whose sizes are remembered; a history of a million commits has many more."""


class Added(Struct, frozen=True):
    """A content that a commit brought in.

    Attributes:
        commit: The commit's full id.
        path: The file, relative to the repository's root.
        data: Its content; None where it is larger than :data:`LARGEST_FILE`, and was not read.
        time: When it was committed, as the committer's computer had it.
        author: The author's address, as the author gave it.
    """

    commit: str
    path: str
    data: bytes | None
    time: datetime
    author: str


class History:
    """The commits that a revision comes from.

    Args:
        root: The clone, or a folder in it: paths are relative to it, and what is outside is left out.
        revision: The last commit: an id, or any other name that git has for it.
        since: A commit before the first one: it and what it comes from are left out.

    Attributes:
        commit: The full id of the last commit.
        shallow: Whether the clone does not hold all of them.
        commits: How many of them were looked at so far.

    Raises:
        hanbae.errors.WrongUse: No clone, or no such revision.
    """

    def __init__(self, root: Path, revision: str = "HEAD", *, since: str | None = None) -> None:
        clone = checkouts.Checkout.open(root)
        repository = clones.discover(clone.root)
        if repository is None:
            raise errors.WrongUse("repository.none", folder=str(root))
        self._repository = repository
        relative = root.resolve().relative_to(clone.root)
        self._prefix = "" if relative == Path() else f"{relative.as_posix()}/"
        self.commit = self._id(revision)
        self._since = None if since is None else self._id(since)
        self.shallow = bool(self._repository.is_shallow)
        self._last = revisions.Revision(self._repository, self.commit)
        self.commits = 0
        self._sizes: dict[str, int] = {}

    def added(self, kind: Callable[[str], Hashable | None]) -> Iterator[Added]:
        """Each content of the wanted files once for each kind of them, the oldest first.

        Args:
            kind: Says of a path what kind of file it is; None for one that is not wanted.
        """
        with clones.readable(self._repository.path):
            yield from self._added(kind)

    def _added(self, kind: Callable[[str], Hashable | None]) -> Iterator[Added]:
        import pygit2

        order = pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE
        walker = self._repository.walk(self.commit, order)
        if self._since is not None:
            walker.hide(self._since)
        visited: dict[Hashable, set[bytes]] = {}
        for commit in walker:
            self.commits += 1
            if len(self._sizes) > _MOST_SIZES:
                self._sizes.clear()
            # Comparing it with another one would not end.
            revisions.refuse_bomb(commit.tree, self._sizes)
            # What a merge took from its other parents was brought in by them, and they come before it.
            for path, blob in self._changed(commit):
                if not path.startswith(self._prefix):
                    continue
                path = path[len(self._prefix) :]  # noqa: PLW2901
                group, name = kind(path), bytes.fromhex(blob)
                if group is None or name in visited.setdefault(group, set()):
                    continue
                visited[group].add(name)
                # The size first: to read an object is to unpack all of it.
                object_kind, size = self._repository.odb.read_header(blob)
                if object_kind == pygit2.enums.ObjectType.BLOB:
                    content = self._content(blob) if size <= LARGEST_FILE else None
                    time = datetime.fromtimestamp(commit.commit_time, UTC)
                    author = commit.author.email or commit.author.name
                    yield Added(str(commit.id), path, content, time, author)

    def _content(self, blob: str) -> bytes:
        clones.refuse_damaged(self._repository, blob)
        return bytes(self._repository.odb.read(blob)[1])

    def now(self, path: str) -> bytes | None:
        """The content of a file in the last commit; None where there is none, or it cannot be read."""
        try:
            return self._last.read(f"{self._prefix}{path}")
        except errors.FileFault:
            return None

    def _changed(self, commit: pygit2.Commit) -> Iterator[tuple[str, str]]:
        """The files that a commit has and its first parent has not, or not so, with the ids of their contents."""
        import pygit2

        deleted = pygit2.enums.DeltaStatus.DELETED
        if commit.parents:
            difference = commit.parents[0].tree.diff_to_tree(commit.tree, context_lines=0)
        else:
            difference = commit.tree.diff_to_tree(swap=True, context_lines=0)
        for delta in difference.deltas:
            if delta.status != deleted and delta.new_file.mode != pygit2.enums.FileMode.COMMIT:
                yield delta.new_file.path, str(delta.new_file.id)

    def _id(self, revision: str) -> str:
        import pygit2

        try:
            return str(self._repository.revparse_single(revision).peel(pygit2.Commit).id)
        except (KeyError, ValueError, OSError, pygit2.GitError) as error:
            raise revisions.unknown(self._repository, revision) from error
