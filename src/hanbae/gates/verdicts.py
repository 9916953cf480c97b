"""What a gate says of its item."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from hanbae import errors, wording


class Verdict(Struct, frozen=True):
    """What a gate has seen, and what follows from it.

    Attributes:
        evidence: What was seen that is as it should be.
        reasons: Why the item fails, each with its cure.
        unseen: What could not be looked at, each followed by the reason.
        pending: What could not be looked at yet, and what the deployment itself will tell.
        command: The next command for a person; empty where the reasons name it.
    """

    evidence: tuple[wording.Text, ...] = ()
    reasons: tuple[wording.Text, ...] = ()
    unseen: tuple[wording.Text, ...] = ()
    pending: tuple[wording.Text, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def outcome(self) -> Literal["passed", "failed", "undecided"]:
        """Passed only where everything was seen, and is as it should be."""
        if self.reasons:
            return "failed"
        return "undecided" if self.unseen or self.pending else "passed"

    def then(self, *command: str) -> Verdict:
        """The same with the command that a person goes on with."""
        return structs.replace(self, command=command)


def passed(text_id: str, **facts: str) -> Verdict:
    """It is as it should be."""
    return Verdict(evidence=(wording.Text(text_id, facts),))


def failed(text_id: str, **facts: str) -> Verdict:
    """It is not."""
    return Verdict(reasons=(wording.Text(text_id, facts),))


def undecided(text_id: str, **facts: str) -> Verdict:
    """Nobody can tell."""
    return Verdict(unseen=(wording.Text(text_id, facts),))


def pending(text_id: str, **facts: str) -> Verdict:
    """Nobody can tell yet; the deployment will."""
    return Verdict(pending=(wording.Text(text_id, facts),))


def unseen(error: errors.Error) -> Verdict:
    """Whoever was asked did not answer."""
    return Verdict(unseen=(error.text,))


def joined(*verdicts: Verdict) -> Verdict:
    """Several verdicts about one item."""
    return Verdict(
        tuple(text for verdict in verdicts for text in verdict.evidence),
        tuple(text for verdict in verdicts for text in verdict.reasons),
        tuple(text for verdict in verdicts for text in verdict.unseen),
        tuple(text for verdict in verdicts for text in verdict.pending),
        next((verdict.command for verdict in verdicts if verdict.command), ()),
    )
