"""What a worker of a spread run reports: what did not pass, at once, and one report of a test that did.

A report is packed by the worker, unpacked by the process that has started it, and shown to every plugin there. pytest
makes three of each test and says when it begins and ends; for ten thousand short tests that is half a minute of a core.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from _pytest import runner


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report what did not pass before anything else of its test runs, which may end the process."""
    report = yield
    if not report.passed:
        item.ihook.pytest_runtest_logreport(report=report)
    return report


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and report its call if that has passed, with the seconds of all its phases."""
    reports = runner.runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        if report.when == "call" and report.passed:
            report.duration = sum(phase.duration for phase in reports)
            item.ihook.pytest_runtest_logreport(report=report)
    return True
