"""End-to-end tests that play side by side: none is forgotten, and none changes what another one uses."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.support import timetable

E2E = Path(__file__).parents[1] / "e2e"


def scene(name: str, *uses: str) -> timetable.Scene:
    return timetable.Scene(name, frozenset(uses))


def test_every_file_plays_exactly_once() -> None:
    scenes = [*timetable.together(E2E), *timetable.ALONE]
    assert sorted(scene.file for scene in scenes) == sorted(
        path.name for path in E2E.glob("test_*.py")
    )


def test_file_that_is_on_no_table_plays_with_nothing_that_uses_the_demos_environments(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_new.py").touch()
    (tmp_path / timetable.TOGETHER[0].file).touch()
    scenes = timetable.together(tmp_path)
    new = scenes.pop(len(timetable.TOGETHER))
    assert scenes == [*timetable.TOGETHER, *timetable.LAST]
    assert new == scene("test_new.py", "dev", "staging", "production")


def test_scenes_with_nothing_in_common_play_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)
    played: list[str] = []

    def run(file: str) -> None:
        meeting.wait()
        played.append(file)

    timetable.play([scene("a", "x"), scene("b"), scene("c", "y")], run)
    assert sorted(played) == ["a", "b", "c"]


def test_scenes_of_one_environment_play_in_their_order_and_never_together() -> None:
    playing: set[str] = set()
    order: list[str] = []
    uses = {"a": {"x", "y"}, "b": {"y"}, "c": {"x", "z"}, "d": {"z"}, "e": set()}

    def run(file: str) -> None:
        assert not any(uses[file] & uses[other] for other in playing)
        playing.add(file)
        order.append(file)
        playing.remove(file)

    for _ in range(50):
        order.clear()
        timetable.play([scene(name, *used) for name, used in uses.items()], run)
        assert sorted(order) == ["a", "b", "c", "d", "e"]
        assert order.index("a") < order.index("b")
        assert order.index("a") < order.index("c") < order.index("d")


def test_what_breaks_the_sandbox_plays_beside_nothing_but_scenes_with_their_own() -> None:
    order: list[str] = []
    next_began, broken = threading.Event(), threading.Event()

    def run(file: str) -> None:
        order.append(file)
        if file in {"breaker", "apart"}:
            next_began.set()
        if file == "shared":
            assert next_began.wait(30)
            assert "breaker" not in order
        if file == "breaker":
            broken.set()
        if file == "apart":
            assert broken.wait(30), "they do not play at the same time"

    breaker = timetable.Scene("breaker", breaks=True)
    apart = timetable.Scene("apart", apart=True)
    scenes = [scene("first"), scene("shared"), breaker, apart, scene("later")]
    timetable.play(scenes, run, at_once=2)
    assert sorted(order) == ["apart", "breaker", "first", "later", "shared"]
    assert order.index("breaker") < order.index("later"), "it is not overtaken"


def test_scene_that_cannot_be_run_ends_the_play_with_its_error() -> None:
    played: list[str] = []

    def run(file: str) -> None:
        played.append(file)
        if file == "a":
            raise OSError(file)

    with pytest.raises(OSError, match="a"):
        timetable.play([scene("a", "x"), scene("b", "x"), scene("c", "x")], run, at_once=1)
    assert played == ["a"]
