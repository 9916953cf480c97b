"""How the end-to-end tests of one run follow each other: what stands on the demo waits for it, and ends with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support import demos, outcomes, runs, timetable

STANDING = [scene.file for scene in timetable.TOGETHER]
APART = [scene.file for scene in timetable.APART]
ALONE = [scene.file for scene in timetable.ALONE]


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in its order; what stands on the demo is given its variable."""
    happened: list[str] = []

    def file(_: runs.Session, name: str, variables: dict[str, str]) -> None:
        assert (demos.VARIABLE in variables) == (name in STANDING), name
        happened.append(name)

    monkeypatch.setattr(runs.Session, "_file", file)
    monkeypatch.setattr(demos, "keep", lambda _, path: {demos.VARIABLE: str(path)})
    monkeypatch.setattr(demos, "end", lambda: happened.append("down"))
    return happened


def test_scenes_play_on_the_demo_and_it_is_taken_down_before_the_machine_is_looked_at(
    happened: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demos, "begin", lambda: happened.append("demo"))
    session = runs.Session(tmp_path, [])
    session.scenes()
    assert sorted(happened) == sorted([*APART, *STANDING, *ALONE, "demo", "down"])
    assert happened.index("demo") < min(happened.index(name) for name in STANDING)
    assert happened[-2:] == ["down", *ALONE]
    assert session.codes == []


def test_without_a_demo_only_what_needs_none_plays_and_the_run_has_failed(
    happened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def begin() -> None:
        raise AssertionError("its own words")

    monkeypatch.setattr(demos, "begin", begin)
    session = runs.Session(tmp_path, [])
    session.scenes()
    assert sorted(happened) == sorted([*APART, *ALONE])
    assert "its own words" in capsys.readouterr().out
    assert outcomes.conclude(session.ledger, session.codes, session.phases) != 0


class Spread(runs.Session):
    """A session whose tests fail the first time: it records what pytest would."""

    def __init__(self, folder: Path, failing: Sequence[str], options: Sequence[str] = ()) -> None:
        super().__init__(folder, options)
        self.failing, self.runs = failing, list[Sequence[str]]()

    def pytest(self, arguments: Sequence[str], **environment: str) -> int:
        self.runs.append(arguments)
        again = outcomes.AGAIN in environment
        outcome = "passed" if again else "failed"
        with self.ledger.open("a") as ledger:
            for test in self.failing:
                line = {"test": test, "when": "call", "outcome": outcome, "again": again}
                ledger.write(json.dumps(line | {"seconds": 1.0}) + "\n")
        return 0 if again else 1


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(runs.preforking, "listening", lambda: "nobody")


@pytest.mark.usefixtures("two_cores")
def test_what_fails_on_all_cores_runs_once_more_alone_and_is_named_as_flaky(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = [f"tests/api/test_a.py::test_{number}[a b]" for number in range(3)]
    session = Spread(tmp_path, failing)
    session.spread([tmp_path / "api"])
    assert session.runs[1:] == [failing]
    assert "-n" in session.runs[0]
    assert outcomes.conclude(session.ledger, session.codes, session.phases) == 0
    assert f"flaky: failed once, passed alone:\n  {failing[0]}\n" in capsys.readouterr().out


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(("failures", "options"), [(11, ()), (1, ("-x",))])
def test_what_is_no_accident_does_not_run_once_more(
    tmp_path: Path, failures: int, options: Sequence[str]
) -> None:
    session = Spread(tmp_path, [f"tests/api/test_a.py::test_{n}" for n in range(failures)], options)
    session.spread([tmp_path / "api"])
    assert len(session.runs) == 1
    assert outcomes.conclude(session.ledger, session.codes, session.phases) == 1
