"""A commit that nobody has checked out: made of files of others; no working tree, index or branch is touched.

Made twice of the same, it is the same commit: its time is that of its newest parent. So a command that was killed makes
nothing new when it is run again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hanbae import errors
from hanbae.policy import clones

Files = Mapping[str, tuple[str, int]]
"""Path → the id of its content and its mode, as :meth:`hanbae.repository.commit_graph.Graph.files` has them."""


class Drafts:
    """Makes commits in a clone.

    Args:
        root: The clone's top folder.

    Raises:
        hanbae.errors.WrongUse: It is no clone.
    """

    def __init__(self, root: Path) -> None:
        repository = clones.discover(root)
        if repository is None:
            raise errors.WrongUse("repository.none", folder=str(root))
        self._repository = repository

    def content(self, data: bytes) -> str:
        """Keep a file's content.

        Returns:
            Its id.
        """
        with clones.readable(self._repository.path):
            return str(self._repository.create_blob(data))

    def merged(self, base: str, ours: str, theirs: str) -> str | None:
        """Bring two versions of a file together that come from a third.

        Args:
            base: Id of the content that they come from; empty where there was none.
            ours: Id of one.
            theirs: Id of the other.

        Returns:
            The id of the result; None where both have changed the same lines, and where one of the three is no text.
        """
        import pygit2

        with clones.readable(self._repository.path):
            # A file that is new on both sides comes from nothing, which libgit2 wants as an object.
            versions = (base or str(self._repository.create_blob(b"")), ours, theirs)
            if not all(map(self._is_text, versions)):
                return None
            entries = [
                pygit2.IndexEntry("file", pygit2.Oid(hex=name), pygit2.enums.FileMode.BLOB)
                for name in versions
            ]
            ancestor, first, second = entries
            try:
                merged = self._repository.merge_file_from_index(
                    ancestor, first, second, use_deprecated=False
                )
            except RuntimeError:  # pygit2 makes no text of nothing, which no conflict of texts is
                return self.content(b"")
        return self.content(merged.contents.encode()) if merged.automergeable else None

    def _is_text(self, content: str) -> bool:
        """Whether pygit2 gives the whole of what such a file is merged to: it decodes it, up to a zero byte."""
        import pygit2

        data = self._repository[content].peel(pygit2.Blob).data
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return b"\0" not in data

    def commit(self, files: Files, message: str, parents: Sequence[str]) -> str:
        """Make a commit.

        Args:
            files: All of its files.
            message: Its message.
            parents: Full ids.

        Returns:
            Its full id.

        Raises:
            hanbae.errors.WrongUse: git does not know who the user is.
        """
        import pygit2

        index = pygit2.Index()
        with clones.readable(self._repository.path):
            for path, (content, mode) in files.items():
                entry = pygit2.IndexEntry(
                    path, pygit2.Oid(hex=content), pygit2.enums.FileMode(mode)
                )
                index.add(entry)
            tree = index.write_tree(self._repository)
            times = [self._repository[parent].peel(pygit2.Commit).commit_time for parent in parents]
            name, email = self._identity()
            signature = pygit2.Signature(name, email, max(times, default=0), 0)
            return str(
                self._repository.create_commit(
                    None, signature, signature, message, tree, list(parents)
                )
            )

    def _identity(self) -> tuple[str, str]:
        """Who commits, as git has it."""
        settings = self._repository.config
        values = []
        for variable, setting in (
            ("GIT_COMMITTER_NAME", "user.name"),
            ("GIT_COMMITTER_EMAIL", "user.email"),
        ):
            value = os.environ.get(variable) or (settings[setting] if setting in settings else "")  # noqa: SIM401
            if not value:
                raise errors.WrongUse("repository.nobody", setting=setting)
            values.append(value)
        return values[0], values[1]
