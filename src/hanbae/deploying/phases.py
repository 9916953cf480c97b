"""How far one deployment has come, and what an expected failure means for it there.

A deployment only ever moves forward through these phases: what may have been begun is not taken back.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from hanbae import errors
from hanbae.results import events


class Phase(enum.IntEnum):
    """How far a deployment is; later phases include the earlier ones.

    Attributes:
        PLANNED: Nothing was asked for.
        ASKED: The engine was asked; its answer is not there yet.
        RESUMED: An earlier driver had announced a step: whether it was asked for is not known.
        BEGUN: The engine has confirmed the operation, or a database is being taken back.
        CARRIED_OUT: All of that has ended well: what is left only looks.
    """

    PLANNED = 0
    REQUESTED = 1
    RESUMED = 2
    BEGUN = 3
    CARRIED_OUT = 4


_UNANSWERED: Final[Mapping[Phase, events.Outcome]] = {
    Phase.PLANNED: "refused",
    Phase.REQUESTED: "unknown",  # the answer to a write may be what was lost
    Phase.RESUMED: "unknown",
    Phase.BEGUN: "unknown",
    Phase.CARRIED_OUT: "unknown",
}
_ANSWERED: Final[Mapping[Phase, events.Outcome]] = {
    Phase.PLANNED: "refused",
    Phase.REQUESTED: "refused",
    Phase.RESUMED: "unknown",  # what was asked for before the crash may run
    Phase.BEGUN: "failed",
    Phase.CARRIED_OUT: "failed",
}


def outcome(phase: Phase, error: errors.Error) -> events.Outcome:
    """How an expected failure closes a deployment: never ``failed`` where something may still run."""
    lost = isinstance(error, errors.Unreachable)
    # A refusal is an answer, but who may not look any more sees no end either: what was begun runs on.
    if isinstance(error, errors.Forbidden):
        lost = phase is Phase.BEGUN
    return (_UNANSWERED if lost else _ANSWERED)[phase]
