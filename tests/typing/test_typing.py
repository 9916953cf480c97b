"""The public names are typed as they are documented: what is right passes ``mypy --strict``, what is wrong does not.

A file of ``invalid`` says behind each wrong line which errors mypy must find there, and no others.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
VALID = sorted((HERE / "valid").glob("*.py"))
INVALID = sorted((HERE / "invalid").glob("*.py"))
EXAMPLE = HERE / "docs" / "example.py"
EXPECTED = re.compile(r"# E: ([a-z -]+)$")
ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")

pytestmark = pytest.mark.timeout(600)  # the first run of mypy reads every library


def mypy(*files: Path) -> tuple[str, set[tuple[str, int, str]]]:
    """What mypy says, and its errors as file, line, code."""
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--hide-error-context", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [match for line in ended.stdout.splitlines() if (match := ERROR.match(line))]
    assert len(errors) == ended.stdout.count(": error: "), ended.stdout
    assert ended.returncode == bool(errors), ended.stdout + ended.stderr
    return ended.stdout, {(Path(e["file"]).name, int(e["line"]), e["code"]) for e in errors}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int, str]]:
    """What mypy finds in all files and in the example of the documentation; it reads the libraries once for them."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    assert blocks
    folder = tmp_path_factory.mktemp("typing")
    for path in (*VALID, *INVALID):
        shutil.copy(path, folder / named(path))
    (folder / named(EXAMPLE)).write_text("\n".join(blocks))
    return mypy(*folder.iterdir())[1]


def named(path: Path) -> str:
    """The name of a file among the others, as a module: a valid one and an invalid one may have the same."""
    return f"{path.parent.name}_{path.name}"


def expected(path: Path) -> Iterator[tuple[str, int, str]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if comment := EXPECTED.search(line):
            yield from ((named(path), number, code) for code in comment[1].split())


@pytest.mark.parametrize("path", [*VALID, EXAMPLE], ids=lambda path: path.name)
def test_right_use_passes(errors: set[tuple[str, int, str]], path: Path) -> None:
    assert [error for error in errors if error[0] == named(path)] == []


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_each_wrong_use_is_found_where_it_stands(
    errors: set[tuple[str, int, str]], path: Path
) -> None:
    expected_errors = set(expected(path))
    assert expected_errors
    assert {error for error in errors if error[0] == named(path)} == expected_errors
