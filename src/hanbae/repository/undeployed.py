"""Which files of a working tree are not deployed, however they look to their author: no remote has their content."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from hanbae import errors
from hanbae.repository import checkouts, trees


class Changes(Struct, frozen=True):
    """Files whose content here is neither in the deployed commit nor on any branch of its remote.

    Attributes:
        uncommitted: Paths that differ from the commit that is checked out, sorted; deleted ones are among them.
        unpushed: Paths that only commits have changed which the remote does not have, sorted.
    """

    uncommitted: tuple[str, ...] = ()
    unpushed: tuple[str, ...] = ()


def below(root: Path, folders: Iterable[str], *, deployed: str, remote: str) -> Changes:
    """The files below some folders that a deployment of a commit is without; none where git cannot tell.

    A branch that was pushed and differs from the deployed one is no reason to warn: its author has chosen so.

    Args:
        root: The clone's top folder.
        folders: Folders relative to it, with ``/``.
        deployed: The commit that is deployed.
        remote: Name of the remote that it comes from.
    """
    uncommitted: list[str] = []
    unpushed: list[str] = []
    with contextlib.suppress(errors.Error):
        checkout = checkouts.Checkout.open(root)
        current = checkout.revision(checkout.current())
        target = checkout.revision(deployed)
        pushed = [checkout.revision(commit) for commit in checkout.pushed(remote)]
        present = trees.WorkingTree(root)
        for folder in folders:
            working, committed = present.files(folder), current.files(folder)
            bases = [base.files(folder) for base in pushed]
            for path in _differing(working, target.files(folder)):
                if working.get(path) != committed.get(path):
                    uncommitted.append(path)
                # It is neither in the deployed commit nor in any that the remote's branches have.
                elif all(base.get(path) != committed.get(path) for base in bases):
                    unpushed.append(path)
    return Changes(tuple(uncommitted), tuple(unpushed))


def _differing(left_side: Mapping[str, str], right_side: Mapping[str, str]) -> list[str]:
    return sorted(
        path
        for path in left_side.keys() | right_side.keys()
        if left_side.get(path) != right_side.get(path)
    )
