"""Writes the commit that puts folders back to what an older commit has, on a branch of its own.

The working tree, the index and the branch that is checked out are not touched, and nothing is pushed: what is written
is for a person to look at, to push and to have merged. Other folders stay as the head has them, so a rollback of one
service takes nothing away from another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hanbae import errors
from hanbae.policy import clones
from hanbae.repository import checkouts, revisions

if TYPE_CHECKING:
    import pygit2


class Reverted(Struct, frozen=True):
    """The commit that was written.

    Attributes:
        branch: The branch that is at it; empty where the head has nothing else than the older commit.
        commit: Its full id; empty likewise.
        files: The files that it changes, from the repository's root.
    """

    branch: str = ""
    commit: str = ""
    files: tuple[str, ...] = ()


def write(
    checkout: checkouts.Checkout,
    *,
    head: str,
    target: str,
    paths: Iterable[str],
    branch: str,
    message: str,
) -> Reverted:
    """Write the commit, or find the one that an earlier run has written.

    Args:
        checkout: The clone.
        head: The commit that it is made on.
        target: The commit whose files it has.
        paths: The folders and files that are put back, from the repository's root.
        branch: Name of the new branch.
        message: The commit's message.

    Raises:
        hanbae.errors.WrongUse: git knows no name and address for the author, or the branch is there with other content.
        hanbae.errors.FileFault: One of the commits has too many files.
    """
    import pygit2

    checkouts.check_branch(branch)
    repository = clones.discover(checkout.root)
    if repository is None:
        raise errors.WrongUse("repository.none", folder=str(checkout.root))
    with clones.readable(checkout.root):
        ours, theirs = (repository[name].peel(pygit2.Commit) for name in (head, target))
        tree = _tree(repository, ours, theirs, tuple(paths))
        if tree == ours.tree_id:
            return Reverted()
        changed = ours.tree.diff_to_tree(repository[tree].peel(pygit2.Tree))
        files = tuple(sorted(delta.new_file.path for delta in changed.deltas))
        reference = f"refs/heads/{branch}"
        present = repository.references.get(reference)
        if present is not None:
            commit = present.peel(pygit2.Commit)
            if commit.tree_id == tree and [str(parent) for parent in commit.parent_ids] == [head]:
                return Reverted(branch, str(commit.id), files)
            raise errors.WrongUse("rollback.branch-exists", branch=branch)
        who = _author(repository)
        written = repository.create_commit(reference, who, who, message, tree, [ours.id])
        return Reverted(branch, str(written), files)


def _tree(
    repository: pygit2.Repository,
    ours: pygit2.Commit,
    theirs: pygit2.Commit,
    paths: tuple[str, ...],
) -> Any:
    """The tree of one commit with the paths of another."""
    import pygit2

    for commit in (ours, theirs):
        revisions.refuse_bomb(commit.tree)
    # Indexes in memory: the clone's own has what the user is about to commit.
    index, older = pygit2.Index(), pygit2.Index()
    index.read_tree(ours.tree)
    older.read_tree(theirs.tree)
    for path in [entry.path for entry in index if _is_below(entry.path, paths)]:
        index.remove(path)
    for entry in older:
        if _is_below(entry.path, paths):
            index.add(pygit2.IndexEntry(entry.path, entry.id, entry.mode))
    return index.write_tree(repository)


def _is_below(path: str, paths: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in paths)


def _author(repository: pygit2.Repository) -> pygit2.Signature:
    """Who git says that commits are by: its variables win over its configuration.

    Raises:
        hanbae.errors.WrongUse: git does not know.
    """
    import pygit2

    name, address = (os.environ.get(f"GIT_AUTHOR_{part}", "") for part in ("NAME", "EMAIL"))
    if name and address:
        return pygit2.Signature(name, address)
    try:
        return repository.default_signature
    except KeyError as error:
        raise errors.WrongUse("rollback.no-author") from error
