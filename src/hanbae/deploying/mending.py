"""What mends a migration that has failed: the file, and the command that comes after it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.results import events, plans

_IS_WRONG: Final = frozenset({"diagnosis.migration-failed", "diagnosis.migration-hopeless"})


class Cure(Struct, frozen=True):
    """What to do.

    Attributes:
        text: Which file to mend.
        command: What to run when it is mended.
    """

    text: wording.Text
    command: tuple[str, ...]


def of(
    plan: plans.Plan, diagnosis: events.Diagnosed, job: subjects.Ref, *, failed: str
) -> Cure | None:
    """The cure of what has ended a deployment; None where no file is known to be wrong.

    Args:
        plan: The deployment's plan.
        diagnosis: Why it has failed.
        job: The hook that it is about.
        failed: Name of the migration at which the hook stopped; empty for none.
    """
    if diagnosis.cause.id not in _IS_WRONG or not failed:
        return None
    proofs = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
    files = [file for proof in proofs if proof.hook == job for file in proof.files]
    file = next((path for path in files if path.rpartition("/")[2] == failed), failed)
    command = ("hanbae", "image", "set", plan.service, "IMAGE:TAG", "--env", plan.environment)
    return Cure(wording.Text("deploy.mend-migration", {"file": file}), command)
