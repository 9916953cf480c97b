"""Which commands of a policy may run on this machine: those that the default branch of ``origin`` names as well.

A clone may stand at any branch, and a branch may be anybody's: its policy must not start a program on the machine of
whoever deploys from there. Which branch is the default one, and where ``origin`` is, the clone's own configuration
says, which no branch can change.
"""

from __future__ import annotations

from typing import Final

from hanbae import errors, workspaces
from hanbae.gates import targets
from hanbae.policy import loading

_REMOTE: Final = "origin"


def commands(space: workspaces.Workspace) -> targets.Trusted | None:
    """The commands that may run; None where the default branch is not known here, or its policy cannot be read."""
    if not any(space.policy.checklists.commands):
        return targets.NOTHING
    try:
        commit = space.checkout.default(_REMOTE)
        name = space.loaded.path.relative_to(space.checkout.root).as_posix()
        data = space.checkout.revision(commit).read(name)
        trusted, _ = loading.parse(data or b"", name)
    except (errors.Error, ValueError):
        return None
    named = frozenset(command for _, command in trusted.checklists.commands)
    return targets.Trusted(named, space.checkout.root)
