"""A deployment of three databases, killed after an event of every kind and resumed; ``./dev test crash`` takes each."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import crash_rounds, scenes


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "crash")
    ended = scene.deploy(crash_rounds.SERVICE)
    assert ended.code == 0, ended.err
    return scene


@pytest.mark.parametrize(
    ("number", "after", "resume"),
    [
        (4, "Opened:1", "attach"),
        (5, "Intended:1", "deploy"),
        (6, "Began:1", "elsewhere"),
        (7, "Observed:9", "attach"),
        (8, "Logged:1", "deploy"),
        (9, "Intended:2", "elsewhere"),
        (10, "Proved:1", "attach"),
        (11, "Proved:3", "deploy"),
    ],
)
def test_killed_after_an_event_and_resumed_nothing_happens_twice(
    scene: scenes.Scene, number: int, after: str, resume: crash_rounds.Resume
) -> None:
    assert crash_rounds.play(scene, number, after=after, resume=resume) is not None
