"""What became of the items of a checklist: who or what decided each, how, and what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from msgspec import Struct

from hanbae import wording

Phase = Literal["before", "during", "after"]
"""When an item is decided: before a deployment, while it runs, after it."""

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

Outcome = Literal["passed", "failed", "undecided", "waived", "attested"]
"""How an item can end: ``undecided`` where what decides it could not be seen, or nobody has attested it."""


Identity = Literal["", "cluster", "argocd", "forge", "git"]
"""Who knows somebody by their name: Argo CD's cluster or its API or the forge, which have made sure of it, or their own
git."""


class Statement(Struct, frozen=True):
    """What a person says of an item: that it is so, or that it need not be.

    Attributes:
        item: The item's id.
        outcome: What they say.
        by: Who says so.
        identity: Who knows them by this name.
        at: When, in UTC: ``2026-12-24T09:30:00Z``.
        why: Why it need not be, or what they have seen.
        revision: The commit that it is about, in full; empty for all.
        until: The last day on which it holds, in UTC; empty where it does not end.
    """

    item: str
    outcome: Literal["waived", "attested"]
    by: str
    identity: Identity
    at: str
    why: str = ""
    revision: str = ""
    until: str = ""


class Decision(Struct, frozen=True):
    """How one item ended.

    Attributes:
        item: The item's id.
        text: The policy's sentence; empty for an item that hanbae knows by itself.
        check: The gate that decided it, or ``person``.
        outcome: How it ended.
        evidence: What was seen; of an item that failed, why; of one that is undecided, what could not be seen.
        command: The next command for a person; empty where there is none.
        by: Who waived or attested it.
        why: Why it was waived.
        until: Until when that holds, as people read it; empty where it does not end.
        identity: Who knows them by this name; empty where nobody waived or attested it.
    """

    item: str
    text: str
    check: str
    outcome: Outcome
    evidence: tuple[wording.Text, ...] = ()
    command: tuple[str, ...] = ()
    by: str = ""
    why: str = ""
    until: str = ""
    identity: Identity = ""


class Checked(Struct, frozen=True):
    """The items of one phase.

    Attributes:
        phase: When they were decided.
        decisions: How each ended, in the policy's order.
    """

    phase: Phase
    decisions: tuple[Decision, ...]


class Checklist(Struct, frozen=True):
    """The checklist of one service in one environment.

    Attributes:
        service: The service.
        environment: The environment.
        revision: Full commit id.
        phases: The phases that were decided.
        deployment: Id of the deployment; empty where it was decided by itself.
    """

    service: str
    environment: str
    revision: str
    phases: tuple[Checked, ...]
    deployment: str = ""

    @property
    def failed(self) -> tuple[Decision, ...]:
        """The items that failed."""
        return failed(self.phases)


def failed(phases: Iterable[Checked]) -> tuple[Decision, ...]:
    """The items of some phases that failed."""
    return tuple(
        decision for phase in phases for decision in phase.decisions if decision.outcome == "failed"
    )
