"""How the end-to-end tests of one run follow each other: what stands on the demo waits for it, and ends with it."""

from __future__ import annotations

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
