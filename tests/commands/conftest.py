"""What the tests of commands share."""

from __future__ import annotations

import pytest
from tests.support import layouts


@pytest.fixture(params=layouts.LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    """How the policy spreads its environments over clusters; who asks for it is run once for each."""
    return str(request.param)
