"""What the tests of one ``./dev test`` came to: recorded by each pytest, summed up in one table at the end."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

VARIABLE: Final = "HANBAE_TEST_LEDGER"
"""Names the file in which each pytest of a run records its tests."""
AGAIN: Final = "HANBAE_TEST_AGAIN"
"""Is set where tests that have failed are run once more."""
SLOWEST: Final = 10
NO_TESTS: Final = 5
"""pytest's exit code where it had nothing to run."""
_CAUSE_LINES: Final = 8
_CAUSE_WIDTH: Final = 200
"""What the closing table shows of a failure: where only the end of a long run is kept, nobody sees the rest."""
_GOT_THROUGH: Final = frozenset({0, 1, NO_TESTS})
"""pytest's exit codes where it has come to its end; 1 means that a test has failed."""


@dataclasses.dataclass
class Outcome:
    """One test.

    Attributes:
        failed: It has failed at least once, or its process has ended before it.
        passed: It has passed at least once, in all of its phases.
        skipped: It was skipped.
        seconds: How long it took the last time, its fixtures included.
        causes: What pytest said of each failure; lines.
    """

    failed: bool = False
    passed: bool = False
    skipped: bool = False
    seconds: float = 0.0
    causes: list[str] = dataclasses.field(default_factory=list)


def record(report: pytest.TestReport) -> None:
    """Append a report to the run's ledger, if there is one; workers of xdist leave it to their controller."""
    cause = _cause(report) if report.failed else []
    _append(report.nodeid, report.when, report.outcome, report.duration, cause)


def record_collection(report: pytest.CollectReport) -> None:
    """Append a file that could not be collected."""
    if report.failed:
        _append(report.nodeid, "collect", "failed", 0.0, _cause(report))


def record_process(ledger: Path, file: str, code: int, *, again: bool) -> int:
    """Append a file whose pytest did not get through, as if it were a test; and that it has, when it runs once more.

    Args:
        ledger: The run's.
        file: The file of tests that the process has run.
        code: How it ended.
        again: It is the second run.

    Returns:
        The exit code by which the run is judged: 1 in place of one that is told by the ledger from now on.
    """
    got_through = code in _GOT_THROUGH
    if not got_through or (again and file in read(ledger)):
        _write(ledger, file, "process", "passed" if got_through else "failed", 0.0, again=again)
    return code if got_through else 1


def _cause(report: pytest.TestReport | pytest.CollectReport) -> list[str]:
    """Where it failed and with what: the lines that pytest marks with an E, else the last ones."""
    lines = report.longreprtext.splitlines()
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    shown = marked[:_CAUSE_LINES] or lines[-_CAUSE_LINES:]
    place = getattr(getattr(report.longrepr, "reprcrash", None), "path", "")
    line = getattr(getattr(report.longrepr, "reprcrash", None), "lineno", "")
    return [f"{place}:{line}"] * bool(place) + [text[:_CAUSE_WIDTH] for text in shown]


def _append(test: str, when: str, outcome: str, seconds: float, cause: Sequence[str] = ()) -> None:
    path = os.environ.get(VARIABLE)
    if path is None or "PYTEST_XDIST_WORKER" in os.environ:
        return
    again = AGAIN in os.environ
    _write(Path(path), test, when, outcome, seconds, again=again, cause=cause)


def _write(
    ledger: Path,
    test: str,
    when: str,
    outcome: str,
    seconds: float,
    *,
    again: bool,
    cause: Sequence[str] = (),
) -> None:
    line = {"test": test, "when": when, "outcome": outcome, "seconds": seconds, "again": again}
    line |= {"cause": list(cause)} if cause else {}
    with ledger.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")


def read(ledger: Path) -> dict[str, Outcome]:
    """Test → what became of it, over both of its runs where there were two."""
    if not ledger.exists():
        return {}
    phases: dict[tuple[str, bool], list[dict[str, Any]]] = defaultdict(list)
    # Another pytest may be writing the last line.
    lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
    for line in (line for line in lines if line.endswith("\n")):
        phase = json.loads(line)
        phases[phase["test"], phase["again"]].append(phase)
    outcomes: dict[str, Outcome] = defaultdict(Outcome)
    for (test, _), reports in phases.items():
        outcome, results = outcomes[test], {report["outcome"] for report in reports}
        is_cut_off = _is_cut_off(reports)
        outcome.failed |= "failed" in results or is_cut_off
        outcome.passed |= results == {"passed"} and not is_cut_off
        outcome.skipped |= results >= {"skipped"} and "failed" not in results
        outcome.seconds = sum(report["seconds"] for report in reports)
        outcome.causes += [line for report in reports for line in report.get("cause", ())]
    return dict(outcomes)


def _is_cut_off(reports: list[dict[str, Any]]) -> bool:
    """Whether a test was begun and not ended; a worker of a spread run reports a call without its setup."""
    phases = {(report["when"], report["outcome"]) for report in reports}
    return ("setup", "passed") in phases and "teardown" not in {when for when, _ in phases}


def failed_tests(ledger: Path) -> list[str]:
    """The tests that have failed and did not pass since, in their order."""
    return [test for test, outcome in read(ledger).items() if outcome.failed and not outcome.passed]


def conclude(ledger: Path, codes: list[int], phases: list[tuple[str, float]]) -> int:
    """Print the table of tiers, the slowest tests, what is flaky, and pytest's sums in its own words as last line.

    Args:
        ledger: What the run has recorded.
        codes: The exit codes of its pytest processes.
        phases: Name and seconds of each part of the run.

    Returns:
        The run's exit code.
    """
    outcomes = read(ledger)
    lines = [*_tiers(outcomes), "", *_phases(phases), "", *_slowest(outcomes)]
    flaky = sorted(test for test, outcome in outcomes.items() if outcome.failed and outcome.passed)
    failed = sorted(failed_tests(ledger))
    for title, tests in (("flaky: failed once, passed alone", flaky), ("failed", failed)):
        if tests:
            lines += ["", f"{title}:"]
            for test in tests:
                lines += [f"  {test}", *(f"      {cause}" for cause in outcomes[test].causes)]
    passed = sum(outcome.passed for outcome in outcomes.values())
    skipped = sum(outcome.skipped for outcome in outcomes.values())
    lines += ["", f"tests: {passed} passed, {len(failed)} failed, {skipped} skipped"]
    print("\n".join(lines), flush=True)  # noqa: T201
    if failed:
        return 1
    if not outcomes:
        return next((code for code in codes if code), NO_TESTS)
    # A test that failed was judged above; every other code means that pytest itself did not get through.
    return next((code for code in codes if code not in {0, 1, NO_TESTS}), 0)


def _tiers(outcomes: dict[str, Outcome]) -> list[str]:
    tiers: dict[str, list[Outcome]] = defaultdict(list)
    for test, outcome in outcomes.items():
        tiers[Path(test).parts[1]].append(outcome)
    lines = [f"{'tier':<10} {'passed':>7} {'failed':>7} {'skipped':>8} {'minutes of tests':>17}"]
    for tier, rows in tiers.items():
        failed = sum(row.failed and not row.passed for row in rows)
        minutes = sum(row.seconds for row in rows) / 60
        passed, skipped = sum(row.passed for row in rows), sum(row.skipped for row in rows)
        lines.append(f"{tier:<10} {passed:>7} {failed:>7} {skipped:>8} {minutes:>17.1f}")
    return lines


def _phases(phases: list[tuple[str, float]]) -> list[str]:
    total = sum(seconds for _, seconds in phases)
    rows = [*phases, ("in all", total)]
    return [f"{name:<44} {seconds / 60:>6.1f} minutes" for name, seconds in rows]


def _slowest(outcomes: dict[str, Outcome]) -> list[str]:
    rows = sorted(outcomes.items(), key=lambda row: -row[1].seconds)[:SLOWEST]
    return ["slowest:", *(f"  {outcome.seconds:7.1f} s  {test}" for test, outcome in rows)]
