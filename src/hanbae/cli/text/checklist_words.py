"""How the items of a checklist ended, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hanbae.cli.text import catalogue
from hanbae.results import checklists


def counted(phases: Iterable[checklists.Checked]) -> str:
    """How many items have ended in each way; empty where none was decided."""
    numbers = Counter(decision.outcome for phase in phases for decision in phase.decisions)
    return ", ".join(
        f"{catalogue.words(f'checklist.outcome-{outcome}')} {number}"
        for outcome, number in numbers.items()
    )
