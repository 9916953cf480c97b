"""A test that has passed is reported once, with all its seconds; one that has not, phase by phase."""

from __future__ import annotations

from typing import Literal

import pytest
from tests.support import reporting

Outcome = Literal["passed", "failed", "skipped"]


def report(when: Literal["setup", "call", "teardown"], outcome: Outcome) -> pytest.TestReport:
    return pytest.TestReport("a.py::b", ("a.py", 1, "b"), {}, outcome, None, when, duration=2)


def test_a_passed_test_is_told_once() -> None:
    reports = [report(when, "passed") for when in ("setup", "call", "teardown")]
    (call,) = reporting.worth_telling(reports)
    assert (call.when, call.duration) == ("call", 6)


@pytest.mark.parametrize(
    "reports",
    [
        [report("setup", "skipped"), report("teardown", "passed")],
        [report("setup", "failed"), report("teardown", "passed")],
        [report("setup", "passed"), report("call", "passed"), report("teardown", "failed")],
        [report("setup", "passed"), report("call", "failed"), report("teardown", "passed")],
    ],
)
def test_everything_else_is_told_whole(reports: list[pytest.TestReport]) -> None:
    assert reporting.worth_telling(reports) == reports
