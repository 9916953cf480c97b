"""A worker reports a test that has passed once, and what did not pass as soon as that is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
from tests.support import reporting

def pytest_configure(config):
    config.pluginmanager.register(reporting)

def pytest_runtest_logreport(report):
    print("REPORT", report.nodeid.partition("::")[2], report.when, report.outcome, flush=True)
"""
TESTS = """
import os
import pytest

@pytest.fixture
def broken():
    raise ValueError

@pytest.fixture
def late():
    yield
    raise ValueError

@pytest.fixture
def deadly():
    yield
    os._exit(9)

def test_passes(): pass
def test_fails(): assert 0
def test_skips(): pytest.skip("x")
def test_is_broken(broken): pass
def test_is_late(late): pass
def test_dies(deadly): assert 0
"""


@pytest.mark.parametrize(
    ("test", "reports"),
    [
        ("passes", ["call passed"]),
        ("fails", ["call failed"]),
        ("skips", ["call skipped"]),
        ("is_broken", ["setup failed"]),
        ("is_late", ["teardown failed", "call passed"]),
        ("dies", ["call failed"]),
    ],
)
def test_what_is_reported(tmp_path: Path, test: str, reports: list[str]) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_x.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-qs", "-c", "/dev/null", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*command, f"--rootdir={tmp_path}", f"{tmp_path}/test_x.py::test_{test}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in ended.stdout.splitlines() if "REPORT" in line]
    assert [line.partition(f"test_{test} ")[2] for line in lines] == reports, ended.stdout
