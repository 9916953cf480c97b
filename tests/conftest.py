"""What all tests share."""

from __future__ import annotations

import hypothesis

# A deadline is a timed assertion: it judges the machine, not the code.
hypothesis.settings.register_profile("hanbae", deadline=None)
hypothesis.settings.load_profile("hanbae")
