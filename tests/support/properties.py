"""How properties are tried; imported by the tiers that have any, as Hypothesis takes most of a second to import."""

from __future__ import annotations

import hypothesis


def prepare() -> None:
    """Try without a deadline: that is a timed assertion, which judges the machine and not the code."""
    hypothesis.settings.register_profile("hanbae", deadline=None)
    hypothesis.settings.load_profile("hanbae")
