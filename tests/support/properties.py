"""How properties are tried; imported by the tiers that have any, as Hypothesis takes most of a second to import.

An ordinary run tries the same examples each time, so that nobody's change fails for what another run has not met.
``HANBAE_TEST_FUZZ=20`` tries twenty times as many, others in each run; what is found becomes an ordinary example.
"""

from __future__ import annotations

import os
from typing import Final

import hypothesis

TIMES: Final = int(os.environ.get("HANBAE_TEST_FUZZ", "1"))
"""How many times as many examples as in an ordinary run are tried."""
_EXAMPLES: Final = 100


def prepare() -> None:
    """Try so, without a deadline: that is a timed assertion, which judges the machine and not the code."""
    hypothesis.settings.register_profile(
        "hanbae", deadline=None, max_examples=_EXAMPLES * TIMES, derandomize=TIMES == 1
    )
    hypothesis.settings.load_profile("hanbae")
