"""One figure of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure beside its peer's.

    Attributes:
        what: What was measured.
        ours: Median of ours, in seconds.
        peer: Median of the peer's, in seconds; None where there is none.
        bar: The budget, in words.
        runs: How many runs each median is of.
    """

    what: str
    ours: float
    peer: float | None
    bar: str
    runs: int
