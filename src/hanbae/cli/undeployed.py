"""The warning that the working tree has what the deployed commit is without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from hanbae import wording

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.cli import options

_MOST_FILES: Final = 3
"""Files that are named; the others are counted."""


def warn(
    session: options.Session, space: workspaces.Workspace, services: Iterable[str], revision: str
) -> None:
    """Name the services' own files whose changes are not committed or not pushed, in one line.

    Args:
        session: Where to say it.
        space: The workspace.
        services: The services that are deployed.
        revision: The commit that is.
    """
    from hanbae.cli.text import catalogue
    from hanbae.policy import naming
    from hanbae.repository import undeployed

    policy = space.policy
    folders = [naming.folder(policy, service).as_posix() for service in dict.fromkeys(services)]
    changes = undeployed.below(
        space.loaded.root, folders, deployed=revision, remote=policy.argocd.remote
    )
    paths = (*changes.uncommitted, *changes.unpushed)
    if not paths:
        return
    files = ", ".join(paths[:_MOST_FILES])
    if len(paths) > _MOST_FILES:
        count = str(len(paths) - _MOST_FILES)
        files = catalogue.sentence(
            wording.Text("undeployed.more", {"files": files, "count": count})
        )
    facts = {"files": files, "revision": revision[:12]}
    if not changes.unpushed:
        text = wording.Text("undeployed.uncommitted", facts)
    elif not changes.uncommitted:
        text = wording.Text("undeployed.unpushed", facts)
    else:
        text = wording.Text("undeployed.both", facts)
    session.narration.warn(text)
