"""Which folders of a working tree hold what no commit has: it is not deployed, however it looks to its author."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from hanbae import errors
from hanbae.repository import checkouts, trees


def folders(root: Path, names: Iterable[str]) -> tuple[str, ...]:
    """The folders in which the working tree differs from the commit that is checked out.

    Args:
        root: The folder of the policy.
        names: Folders relative to it, with ``/``.
    """
    with contextlib.suppress(errors.Error):
        checkout = checkouts.Checkout.open(root)
        committed: trees.Tree = checkout.revision(checkout.current())
        prefix = root.resolve().relative_to(checkout.root.resolve()).as_posix()
        if prefix != ".":
            committed = trees.Subtree(committed, prefix)
        present = trees.WorkingTree(root)
        return tuple(name for name in names if present.files(name) != committed.files(name))
    return ()
