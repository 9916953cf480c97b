"""One figure of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure beside its peer's.

    Attributes:
        name: What was measured.
        ours: Median of ours.
        peer: Median of the peer's, in `unit`; None where there is none.
        bar: The budget, in words.
        runs: How many runs each median is of.
        unit: What `ours` and `peer` are in, where that is not seconds.
    """

    name: str
    ours: float
    peer: float | None
    bar: str
    runs: int
    unit: str = "s"
