"""What all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest
from tests import run
from tests.support import ambient, collecting, outcomes, reporting

from hanbae import errors
from hanbae.charts import compiling

_obtained = False


def pytest_configure(config: pytest.Config) -> None:
    """Have the renderer that belongs to the sources, also where pytest is not run by ``./dev``."""
    ambient.clear(os.environ)
    ambient.heed_interrupts()
    # Nearly all that is made in a run stays until its end: modules, tests, their reports. By Python's own thresholds
    # (700, 10, 10) a tenth of the processor's time goes into looking through it for cycles. Garbage in cycles lives
    # longer for it, so a resource that is not closed may be told in a later test than the one that has opened it.
    gc.set_threshold(50_000, 20, 100)
    if "PYTEST_XDIST_WORKER" in os.environ and config.get_verbosity() <= 0:
        config.pluginmanager.register(reporting)
    if compiling.program() is None:
        try:
            compiling.link(compiling.obtain())
        except compiling.Unbuildable as error:
            pytest.exit(f"The renderer does not compile: {error}", returncode=1)


def pytest_collection(session: pytest.Session) -> None:
    """Have the workers of one run compile the tests' modules together; pytest itself collects afterwards."""
    collecting.begin(session.config.rootpath, session.config.args)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have what a test stands on built before its timeout counts the seconds."""
    global _obtained  # noqa: PLW0603  once in a run
    if not _obtained and run.stands_on_binaries(item.path):
        capture = item.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            try:
                run.obtain()
            except errors.Error as error:
                pytest.exit(f"What the tests stand on could not be built: {error}", returncode=1)
        _obtained = True
    return (yield)


def pytest_runtest_setup() -> None:
    """Forget the language of a command that an earlier test has run in this process: git would answer in it."""
    os.environ.pop("LANGUAGE", None)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the test where the runner reads it."""
    outcomes.record(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Record a file that cannot be collected as a test that failed."""
    outcomes.record_collection(report)
