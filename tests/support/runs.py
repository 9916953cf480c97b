"""The pytest processes of one ``./dev test``: on every core, or one after the other."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support import outcomes

ROOT: Final = Path(__file__).parents[2]
#: With these, few tests run or somebody looks on: one process starts sooner and shows more.
_ONE_PROCESS: Final = (
    *("-k", "-m", "-n", "-s", "--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise"),
    *("--pdb", "--trace", "--co", "--collect-only", "--capture", "-p"),
)  # fmt: skip
_FIRST_FAILURE_ENDS: Final = ("-x", "--exitfirst", "--maxfail")


class Session:
    """One run of the tests, in several processes of pytest.

    Args:
        folder: A folder for this run alone.
        options: Options of pytest that a person has added.

    Attributes:
        ledger: Where each pytest records its tests.
        codes: Exit codes so far.
        phases: Name and seconds of each part so far.
    """

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self.ledger = folder / "ledger.jsonl"
        self.codes: list[int] = []
        self.phases: list[tuple[str, float]] = []
        self._options = list(options)

    @property
    def goes_on(self) -> bool:
        """Whether more is to run: not after a failure where the first one shall end everything."""
        ends = any(option.startswith(_FIRST_FAILURE_ENDS) for option in self._options)
        return not any(code not in {0, outcomes.NO_TESTS} for code in self.codes) or not ends

    def spread(self, folders: Sequence[Path]) -> None:
        """Run folders of independent tests on every core."""
        cores = len(os.sched_getaffinity(0))
        alone = any(option.startswith(_ONE_PROCESS) for option in self._options)
        # Who is idle takes from the others' ends, so modules mostly stay together and share their fixtures.
        workers = [] if alone or cores == 1 else ["-n", str(cores), "--dist", "worksteal"]
        if folders and self.goes_on:
            with self.phase(", ".join(folder.name for folder in folders)):
                self.codes.append(self.pytest([*map(str, folders), *workers]))

    def alone(self, paths: Sequence[Path]) -> None:
        """Run folders or files in one process, with nothing beside it."""
        if paths and self.goes_on:
            with self.phase(", ".join(path.stem for path in paths)):
                self.codes.append(self.pytest([str(path) for path in paths]))

    def pytest(self, arguments: Sequence[str], **environment: str) -> int:
        """Run pytest, its output shown as it comes; returns its exit code."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, *self._options],
            cwd=ROOT,
            env=os.environ | {outcomes.VARIABLE: str(self.ledger)} | environment,
            check=False,
        ).returncode

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a part of the run."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases.append((name, time.monotonic() - began))
