"""What was changed by hand in a release of Helm's, and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hanbae.diagnosing import pictures
from hanbae.results import diagnoses, drifts

_CAUSES: Final[Mapping[drifts.Way, str]] = {
    "gone": "diagnosis.gone",
    "pending": "diagnosis.release-pending",
    "of-others": "diagnosis.release-of-others",
    "changed": "diagnosis.changed-by-hand",
    "changed-by-nobody": "diagnosis.changed-by-nobody",
}


def causes(drifted: diagnoses.Drifted, environment: str) -> Iterator[pictures.Cause]:
    """A cause for each object that differs.

    Args:
        drifted: What differs of a service.
        environment: The environment.
    """
    command = ("hanbae", "plan", drifted.service, "--env", environment)
    for drift, text in zip(drifted.drifts, drifts.sentences(drifted.drifts), strict=True):
        yield pictures.cause(drift.object, _CAUSES[drift.way], text.facts, command, fatal=False)
