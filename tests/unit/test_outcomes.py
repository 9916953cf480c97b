"""The closing table of ``./dev test``: what it counts, and which exit code follows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import outcomes

TEST = "tests/e2e/test_a.py::test_a"


def ledger(folder: Path, *rows: tuple[str, str, str, bool]) -> Path:
    """A ledger of rows: test, phase, outcome, whether it is the second run."""
    path = folder / "ledger.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {"test": test, "when": when, "outcome": outcome, "seconds": 2.0, "again": again}
            )
            + "\n"
            for test, when, outcome, again in rows
        )
    )
    return path


def whole(test: str, outcome: str, *, again: bool = False) -> list[tuple[str, str, str, bool]]:
    return [
        (test, "setup", "passed", again),
        (test, "call", outcome, again),
        (test, "teardown", "passed", again),
    ]


def test_every_test_is_counted_once_and_the_sum_is_the_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        *whole("tests/unit/a/test_a.py::test_a", "passed"),
        *whole("tests/unit/a/test_a.py::test_b", "skipped"),
        *whole(TEST, "passed"),
    ]
    assert outcomes.conclude(ledger(tmp_path, *rows), [0, 0], [("unit", 90.0)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["unit", "1", "0", "1", "0.2"]
    assert lines[2].split() == ["e2e", "1", "0", "0", "0.1"]
    assert "unit                                            1.5 minutes" in lines
    assert lines[-1] == "tests: 2 passed, 0 failed, 1 skipped"


def test_failure_that_passes_alone_is_named_as_flaky_and_does_not_fail_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*whole(TEST, "failed"), *whole(TEST, "passed", again=True)]
    assert outcomes.conclude(ledger(tmp_path, *rows), [1, 0], []) == 0
    printed = capsys.readouterr().out
    assert f"flaky: failed once, passed alone:\n  {TEST}\n" in printed
    assert printed.endswith("\ntests: 1 passed, 0 failed, 0 skipped\n")


def test_what_fails_again_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*whole(TEST, "failed"), *whole(TEST, "failed", again=True)]
    path = ledger(tmp_path, *rows)
    assert outcomes.failed_tests(path) == [TEST]
    assert outcomes.conclude(path, [1, 1], []) == 1
    assert f"failed:\n  {TEST}\n" in capsys.readouterr().out


FAILING = """
import pytest

@pytest.fixture
def server():
    raise RuntimeError("it did not start")

def test_a(server):
    pass

def test_b():
    assert 1 == 2, "not equal"
"""


def test_table_says_what_each_failure_was_where_only_the_end_of_a_log_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    file = tmp_path / "tests" / "unit" / "test_a.py"
    file.write_text(FAILING)
    (tmp_path / "conftest.py").write_text(
        "from tests.support import outcomes\n\n"
        "def pytest_runtest_logreport(report):\n    outcomes.record(report)\n"
    )
    path = tmp_path / "ledger.jsonl"
    monkeypatch.setenv(outcomes.VARIABLE, str(path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    subprocess.run([*words, "tests"], cwd=tmp_path, capture_output=True, check=False)
    assert outcomes.conclude(path, [1], []) == 1
    table = capsys.readouterr().out
    assert (
        "failed:\n"
        "  tests/unit/test_a.py::test_a\n"
        f"      {file}:6\n"
        "      RuntimeError: it did not start\n"
        "  tests/unit/test_a.py::test_b\n"
        f"      {file}:12\n"
        "      AssertionError: not equal\n"
    ) in table


@pytest.mark.parametrize("phase", ["setup", "teardown"])
def test_error_in_a_fixture_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], phase: str
) -> None:
    rows = [
        (test, when, "failed" if when == phase else outcome, again)
        for test, when, outcome, again in whole(TEST, "passed")
    ]
    assert outcomes.conclude(ledger(tmp_path, *rows), [1], []) == 1
    assert capsys.readouterr().out.endswith("\ntests: 0 passed, 1 failed, 0 skipped\n")


@pytest.mark.parametrize("phases", [1, 2])
def test_test_whose_process_has_ended_before_it_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], phases: int
) -> None:
    path = ledger(tmp_path, *whole(TEST, "passed")[:phases])
    assert outcomes.failed_tests(path) == [TEST]
    assert outcomes.conclude(path, [-9], []) == 1
    assert f"failed:\n  {TEST}\n" in capsys.readouterr().out


@pytest.mark.parametrize(("phase", "outcome"), [("call", "passed"), ("setup", "skipped")])
def test_worker_that_reports_one_phase_alone_has_not_cut_the_test_off(
    tmp_path: Path, phase: str, outcome: str
) -> None:
    path = ledger(tmp_path, (TEST, phase, outcome, False))
    assert not outcomes.read(path)[TEST].failed


def test_file_whose_pytest_did_not_get_through_runs_once_more_and_is_flaky_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = ledger(tmp_path, *whole(TEST, "passed")), "tests/e2e/test_a.py"
    codes = [outcomes.record_process(path, file, -9, again=False)]
    assert outcomes.failed_tests(path) == [file]
    assert outcomes.conclude(path, codes, []) == 1
    codes.append(outcomes.record_process(path, file, 0, again=True))
    assert not outcomes.failed_tests(path)
    capsys.readouterr()
    assert outcomes.conclude(path, codes, []) == 0
    assert f"flaky: failed once, passed alone:\n  {file}\n" in capsys.readouterr().out


@pytest.mark.parametrize("again", [False, True])
def test_pytest_that_got_through_is_no_test_of_its_own(tmp_path: Path, *, again: bool) -> None:
    path = ledger(tmp_path, *whole(TEST, "failed"))
    assert outcomes.record_process(path, "tests/e2e/test_a.py", 1, again=again) == 1
    assert outcomes.read(path).keys() == {TEST}


@pytest.mark.parametrize(
    ("codes", "expected"), [([0, 5], 0), ([0, 2], 2), ([3, 0], 3), ([0, 1], 0), ([-9, 0], -9)]
)
def test_pytest_that_did_not_get_through_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], codes: list[int], expected: int
) -> None:
    assert outcomes.conclude(ledger(tmp_path, *whole(TEST, "passed")), codes, []) == expected


def test_a_line_that_is_being_written_is_read_later(tmp_path: Path) -> None:
    path = ledger(tmp_path, *whole(TEST, "passed"))
    with path.open("a") as file:
        file.write('{"test": "tests/unit/te')
    assert outcomes.read(path)[TEST].passed


def test_run_without_any_test_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcomes.conclude(tmp_path / "none", [5, 5], []) == outcomes.NO_TESTS
    assert outcomes.conclude(tmp_path / "none", [], []) == outcomes.NO_TESTS
