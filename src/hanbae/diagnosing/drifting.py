"""What was changed by hand in a release of Helm's, and by whom."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.diagnosing import pictures
from hanbae.results import diagnoses, drifts


def causes(drifted: diagnoses.Drifted, environment: str) -> Iterator[pictures.Cause]:
    """A cause for each object that differs.

    Args:
        drifted: What differs of a service.
        environment: The environment.
    """
    command = ("hanbae", "plan", drifted.service, "--env", environment)
    for drift, text in zip(drifted.drifts, drifts.sentences(drifted.drifts), strict=True):
        text_id = "diagnosis.gone"
        if not drift.is_gone:
            by_whom = "diagnosis.changed-by-hand", "diagnosis.changed-by-nobody"
            text_id = by_whom[0] if drift.author else by_whom[1]
            if drift.object.kind == drifts.RELEASE:
                pending = drift.is_pending
                text_id = "diagnosis.release-pending" if pending else "diagnosis.release-of-others"
        yield pictures.cause(drift.object, text_id, text.facts, command, fatal=False)
