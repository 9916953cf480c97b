"""A deployment of three databases, killed after an event of every kind and resumed; ``./dev test crash`` takes each."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.results import events
from hanbae.testing import crash_rounds, crashing, scenes

RESUMED: tuple[crash_rounds.Resume, ...] = ("attach", "deploy", "elsewhere")


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "crash")
    ended = scene.deploy(crash_rounds.SERVICE)
    assert ended.code == 0, ended.err
    return scene


def after_each_kind(recorded: list[events.Event]) -> list[int]:
    """The number of the first event of each kind, and of the last proof; what comes after ``Closed`` is no crash."""
    first: dict[str, int] = {}
    for event in recorded:
        first.setdefault(type(event.fact).__name__, event.seq)
    first.pop("Closed")
    last = max(event.seq for event in recorded if isinstance(event.fact, events.Proved))
    return sorted({*first.values(), last})


def test_killed_after_each_kind_of_event_and_resumed_nothing_happens_twice(
    scene: scenes.Scene,
) -> None:
    (recorded,) = crashing.events_of(scene).values()
    for index, after in enumerate(after_each_kind(recorded)):
        resume = RESUMED[index % len(RESUMED)]
        assert crash_rounds.play(scene, 4 + index, after=after, resume=resume) is not None
