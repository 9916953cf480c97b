"""What a worker of a spread run says of a test: one report of a test that has passed, not three and two marks.

A report is packed by the worker, unpacked by the process that has started it, and shown to every plugin there. For ten
thousand short tests that is a minute of a core. What has failed or was skipped is reported as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from _pytest import runner


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test and report it."""
    for report in worth_telling(runner.runtestprotocol(item, log=False, nextitem=nextitem)):
        item.ihook.pytest_runtest_logreport(report=report)
    return True


def worth_telling(reports: Sequence[pytest.TestReport]) -> Sequence[pytest.TestReport]:
    """The reports of a test's phases; of one that has passed only the call's, with the seconds of all."""
    if not all(report.passed for report in reports):
        return reports
    (call,) = (report for report in reports if report.when == "call")
    call.duration = sum(report.duration for report in reports)
    return [call]
