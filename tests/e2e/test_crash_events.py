"""Deployments of one and of three databases, killed and resumed; ``./dev test crash`` takes every event."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import crash_rounds, scenes

ONE_DATABASE = "personal"
"""What the number of databases changes nothing of costs a third with one."""


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    services = (crash_rounds.SERVICE, ONE_DATABASE)
    scene = scenes.own(demo.sandbox, "crash", services=services)
    ended = scene.deploy(*services)
    assert ended.code == 0, ended.err
    return scene


@pytest.mark.parametrize(
    ("service", "number", "after", "resume"),
    [
        (ONE_DATABASE, 4, "Opened:1", "attach"),
        (ONE_DATABASE, 5, "Intended:1", "deploy"),
        (ONE_DATABASE, 6, "Began:1", "elsewhere"),
        (crash_rounds.SERVICE, 4, "Observed:9", "attach"),
        (ONE_DATABASE, 7, "Logged:1", "deploy"),
        (crash_rounds.SERVICE, 5, "Intended:2", "elsewhere"),
        (crash_rounds.SERVICE, 6, "Proved:1", "attach"),
        (crash_rounds.SERVICE, 7, "Proved:3", "deploy"),
    ],
)
def test_killed_after_an_event_and_resumed_nothing_happens_twice(
    scene: scenes.Scene, service: str, number: int, after: str, resume: crash_rounds.Resume
) -> None:
    played = crash_rounds.play(scene, number, after=after, resume=resume, service=service)
    assert played is not None
