"""What all tests share."""

from __future__ import annotations

import runpy
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from hanbae import errors

# A deadline is a timed assertion: it judges the machine, not the code.
hypothesis.settings.register_profile("hanbae", deadline=None)
hypothesis.settings.load_profile("hanbae")

_RUN = runpy.run_path(str(Path(__file__).parent / "run.py"))
_obtained = False


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have what a test stands on built before its timeout counts the seconds."""
    global _obtained  # noqa: PLW0603  once in a run
    if not _obtained and _RUN["stands_on_binaries"](item.path):
        capture = item.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            try:
                _RUN["obtain"]()
            except errors.Error as error:
                pytest.exit(f"What the tests stand on could not be built: {error}", returncode=1)
        _obtained = True
    return (yield)
