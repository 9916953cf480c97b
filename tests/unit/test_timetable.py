"""End-to-end tests that play side by side: none is forgotten, and none changes what another one uses."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path

import pytest
from tests.support import timetable

E2E = Path(__file__).parents[1] / "e2e"
ENVIRONMENTS = {"dev", "staging", "production"}
"""Those of the demo's shop."""
ENTERED = {"staging", "production"}
"""Fixtures of the end-to-end tests that are one of them,"""
ENTERING = {"entered", "scene", "served", "either"}
"""and those that enter the one with which they are called."""


def scene(name: str, *uses: str) -> timetable.Scene:
    return timetable.Scene(name, frozenset(uses))


def test_every_file_plays_exactly_once() -> None:
    scenes = [*timetable.together(E2E), *timetable.ALONE]
    assert sorted(scene.file for scene in scenes) == sorted(
        path.name for path in E2E.glob("test_*.py")
    )


def entered(text: str) -> set[str]:
    """The environments of the demo's shop that a file's tests enter; all where the file does not say which."""
    nodes = list(ast.walk(ast.parse(text)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    own = {function.name for function in functions}
    environments: set[str] = set()
    for function in functions:
        parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        # A fixture of the file's own hides the one of its name from all but itself.
        fixtures = parameters - (own - {function.name})
        environments |= fixtures & ENTERED
        for call in ast.walk(function):
            match call:
                case ast.Call(ast.Name(name), [ast.Constant(str(environment))]):
                    environments |= {environment} if name in fixtures & ENTERING else set()
                case ast.Call(ast.Name(name)):
                    environments |= ENVIRONMENTS if name in fixtures & ENTERING else set()
    return environments


@pytest.mark.parametrize(
    ("text", "environments"),
    [
        ("def test_x(staging): ...", {"staging"}),
        ("def test_x(scene, demo):\n    return scene('dev')", {"dev"}),
        ("async def test_x(*, either):\n    either('dev'), either(environment)", ENVIRONMENTS),
        ("def staging(demo): ...\ndef test_x(staging): ...", set()),
        ("def staging(staging): ...\ndef test_x(staging): ...", {"staging"}),
        ("def scene(demo): ...\ndef test_x(scene):\n    scene('dev')", set()),
    ],
)
def test_environments_are_those_of_the_fixtures(text: str, environments: set[str]) -> None:
    assert entered(text) == environments


LISTED = (*timetable.APART, *timetable.TOGETHER, *timetable.ALONE)


@pytest.mark.parametrize("part", LISTED, ids=lambda part: part.file)
def test_each_file_uses_the_environments_that_its_tests_enter(part: timetable.Scene) -> None:
    environments = entered((E2E / part.file).read_text())
    # What reads the demo's own words and traces is led to environments by these as well.
    assert part.uses >= environments if part.fresh else part.uses == environments


def test_file_that_is_on_no_table_plays_with_nothing_that_uses_the_demos_environments(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_new.py").touch()
    (tmp_path / timetable.TOGETHER[0].file).touch()
    scenes = timetable.together(tmp_path)
    new = scenes.pop()
    assert scenes == [*timetable.APART, *timetable.TOGETHER]
    assert new == scene("test_new.py", "dev", "staging", "production")


def test_scenes_with_nothing_in_common_play_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)
    played: list[str] = []

    def run(part: timetable.Scene) -> None:
        meeting.wait()
        played.append(part.file)

    timetable.play([scene("a", "x"), scene("b"), scene("c", "y")], run)
    assert sorted(played) == ["a", "b", "c"]


def test_scenes_of_one_environment_play_in_their_order_and_never_together() -> None:
    playing: set[str] = set()
    order: list[str] = []
    uses = {"a": {"x", "y"}, "b": {"y"}, "c": {"x", "z"}, "d": {"z"}, "e": set()}

    def run(part: timetable.Scene) -> None:
        file = part.file
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


def test_only_scenes_with_sandboxes_of_their_own_play_before_the_demo_is_there() -> None:
    order: list[str] = []
    apart_began = threading.Event()

    def run(part: timetable.Scene) -> None:
        order.append(part.file)
        if part.apart:
            apart_began.set()
        if part is timetable.DEMO:
            assert apart_began.wait(30), "they do not play at the same time"
            assert sorted(order) == ["apart", "the demo"]

    apart = timetable.Scene("apart", apart=True)
    timetable.play([timetable.DEMO, scene("first"), apart, scene("later")], run, at_once=3)
    assert sorted(order) == ["apart", "first", "later", "the demo"]


def test_one_more_scene_plays_for_each_look_that_finds_room() -> None:
    meeting = threading.Barrier(3, timeout=30)
    looks = [True, False, True]
    playing, most = 0, 0
    counting = threading.Lock()

    def run(_: timetable.Scene) -> None:
        nonlocal playing, most
        with counting:
            playing += 1
            most = max(most, playing)
        meeting.wait()
        with counting:
            playing -= 1

    scenes = [scene(name) for name in "abc"]
    timetable.play(scenes, run, at_once=1, at_most=3, room=lambda: looks.pop(0) if looks else False)
    assert most == 3
    assert not looks


def test_no_scene_more_plays_where_there_is_no_room() -> None:
    playing: list[str] = []

    def run(part: timetable.Scene) -> None:
        assert not playing
        playing.append(part.file)
        time.sleep(0.02)  # long enough for another one to begin
        playing.remove(part.file)

    def room() -> bool:
        time.sleep(0.001)
        return False

    timetable.play([scene(name) for name in "abcdef"], run, at_once=1, room=room)


def test_scene_that_cannot_be_run_ends_the_play_with_its_error() -> None:
    played: list[str] = []

    def run(part: timetable.Scene) -> None:
        file = part.file
        played.append(file)
        if file == "a":
            raise OSError(file)

    with pytest.raises(OSError, match="a"):
        timetable.play([scene("a", "x"), scene("b", "x"), scene("c", "x")], run, at_once=1)
    assert played == ["a"]


def test_room_that_was_there_while_nothing_could_begin_is_not_used_later() -> None:
    playing: list[str] = []
    looks: list[bool] = []
    looked = threading.Event()

    def run(part: timetable.Scene) -> None:
        assert not playing
        playing.append(part.file)
        if part is timetable.DEMO:
            assert looked.wait(30)
        time.sleep(0.02)
        playing.remove(part.file)

    def room() -> bool:
        time.sleep(0.001)
        looks.append(timetable.DEMO.file in playing)
        if len(looks) > 3:
            looked.set()
        return looks[-1]

    scenes = [timetable.DEMO, *(scene(name) for name in "abc")]
    timetable.play(scenes, run, at_once=1, at_most=3, room=room)


def test_scene_that_cannot_be_run_where_is_room_ends_the_play_with_its_error() -> None:
    begun = threading.Event()
    ended = threading.Event()
    rooms = [True]

    def run(part: timetable.Scene) -> None:
        if part.file == "a":
            begun.set()
            assert ended.wait(30)
        elif part.file == "b":
            ended.set()
            raise OSError(part.file)

    def room() -> bool:
        assert begun.wait(30)
        return rooms.pop() if rooms else False

    with pytest.raises(OSError, match="b"):
        timetable.play([scene("a", "x"), scene("b"), scene("c", "x")], run, at_once=1, room=room)
