"""The pytest processes of one ``./dev test``: on every core, or one after the other."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support import demos, outcomes, preforking, processors, scratch, timetable

ROOT: Final = Path(__file__).parents[2]
#: With these, few tests run or somebody looks on: one process starts sooner and shows more.
_ONE_PROCESS: Final = (
    *("-k", "-m", "-n", "-s", "--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise"),
    *("--pdb", "--trace", "--co", "--collect-only", "--capture", "-p"),
)  # fmt: skip
_NO_DEMO: Final = 4
"""An exit code that no test's failure has: nothing was there to test."""
_LOOK_S: Final = 10.0
_ROOM: Final = 0.15
"""The idle share of the last `_LOOK_S` seconds in which one more scene begins."""
_MOST_AGAIN: Final = 10
"""Tests of a spread run that run once more when they have failed; where more have, it is no accident."""
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
        self._terminal = threading.Lock()

    @property
    def goes_on(self) -> bool:
        """Whether more is to run: not after a failure where the first one shall end everything."""
        ends = any(option.startswith(_FIRST_FAILURE_ENDS) for option in self._options)
        return not any(code not in {0, outcomes.NO_TESTS} for code in self.codes) or not ends

    def spread(self, folders: Sequence[Path]) -> None:
        """Run folders of independent tests on every core."""
        cores = len(os.sched_getaffinity(0))
        alone = any(option.startswith(_ONE_PROCESS) for option in self._options)
        # Twice as many as cores, because much of a test is waiting: for a child, a server, or its clock. Who is idle
        # takes from the others' ends, so modules mostly stay together and share their fixtures.
        workers = 1 if alone or cores == 1 else 2 * cores
        arguments = [*map(str, folders)]
        variables: dict[str, str] = {}
        if workers > 1:
            arguments += ["-n", str(workers), "--dist", "worksteal"]
            variables = {} if "TMPDIR" in os.environ else scratch.variables(workers)
            # As for the scenes, which come later: one process forks for the commands of all tests.
            variables[preforking.VARIABLE] = preforking.listening()
        if folders and self.goes_on:
            before = outcomes.failed_tests(self.ledger)
            with self.phase(", ".join(folder.name for folder in folders)):
                self.codes.append(self.pytest(arguments, **variables))
            if workers > 1:
                self._tests_again(set(before))

    def _tests_again(self, before: set[str]) -> None:
        """Run the tests of a spread run that have failed once more, with nothing beside them.

        Args:
            before: What has failed, again too, before the run.
        """
        failed = [test for test in outcomes.failed_tests(self.ledger) if test not in before]
        if not 0 < len(failed) <= _MOST_AGAIN or not self.goes_on:
            return
        with self.phase("once more what has failed"):
            self.codes.append(self.pytest(failed, **{outcomes.AGAIN: "1"}))

    def scenes(self) -> None:
        """Run the end-to-end tests: side by side, what looks at the machine last, and once more what has failed."""
        folder = ROOT / "tests" / "e2e"
        if any(option.startswith(_ONE_PROCESS) for option in self._options):
            self.alone([folder])
            return
        variables: dict[str, str] = {}
        together = timetable.together(folder)
        # One process forks for the commands of all files; it ends with the thread that has started it, so it is this.
        preforking.listening()
        try:
            self._play("side by side", [timetable.DEMO, *together], variables)
            # Without a demo only the scenes apart from it have played.
            self._again([scene for scene in together if variables or scene.apart], variables)
        finally:
            if variables:
                demos.end()
        self._play("alone", timetable.ALONE, {})
        self._again(timetable.ALONE, {})

    def _play(
        self, name: str, scenes: Sequence[timetable.Scene], variables: dict[str, str]
    ) -> None:
        """Run scenes side by side; the demo, if it is among them, leaves the variables of those that stand on it."""

        def run(scene: timetable.Scene) -> None:
            if scene is timetable.DEMO:
                variables.update(self._demo())
            elif scene.apart or variables or timetable.DEMO not in scenes:
                self._file(scene.file, {} if scene.apart else variables)

        if not self.goes_on:
            return
        with self.phase(f"e2e: {name}"):
            timetable.play(scenes, run, room=lambda: processors.idle_share(_LOOK_S) > _ROOM)

    def _demo(self) -> dict[str, str]:
        """Run the demo whose sandbox the scenes share; returns nothing if it failed, and says so."""
        began = time.monotonic()
        try:
            demo = demos.begin()
        except AssertionError as failure:
            self._show(f"e2e: the demo failed, and no scene can play on it\n{failure}")
            self.codes.append(_NO_DEMO)
            return {}
        self._show(f"e2e: the demo ended after {time.monotonic() - began:.0f} s")
        return demos.keep(demo, self.ledger.parent / "demo.json")

    def _again(self, scenes: Sequence[timetable.Scene], environment: dict[str, str]) -> None:
        """Run the files of tests that have failed once more, one after the other; their environments are new."""
        failed = {test.partition("::")[0] for test in outcomes.failed_tests(self.ledger)}
        again = [scene for scene in scenes if f"tests/e2e/{scene.file}" in failed]
        if not again or not self.goes_on:
            return
        with self.phase("e2e: once more what has failed"):
            for number, scene in enumerate(again, 1):
                variables = demos.another() if scene.fresh else environment
                self._file(scene.file, {**variables, outcomes.AGAIN: str(number)})

    def _file(self, file: str, environment: dict[str, str]) -> None:
        """Run one file of the end-to-end tests; what pytest prints is shown in one piece when it has ended."""
        again = ", once more" if outcomes.AGAIN in environment else ""
        self._show(f"e2e: {file} begins{again}")
        began = time.monotonic()
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                *("-p", "no:cacheprovider"),
                # No scene has properties, and each file is a process, for which importing Hypothesis is time.
                *("-p", "no:hypothesispytest"),
                f"tests/e2e/{file}",
                *self._options,
            ],
            cwd=ROOT,
            env=os.environ
            | {outcomes.VARIABLE: str(self.ledger), preforking.VARIABLE: preforking.listening()}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        is_second = outcomes.AGAIN in environment
        path = f"tests/e2e/{file}"
        self.codes.append(
            outcomes.record_process(self.ledger, path, ended.returncode, again=is_second)
        )
        seconds = time.monotonic() - began
        self._show(f"{ended.stdout}e2e: {file} ended after {seconds:.0f} s{again}")

    def _show(self, text: str) -> None:
        with self._terminal:
            print(text, flush=True)  # noqa: T201

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
