"""What the tests of this tier share."""

from __future__ import annotations

from tests.support import properties

properties.prepare()
