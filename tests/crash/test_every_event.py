"""Kills a deployment of three databases after every event that it commits, one after the other, and resumes each.

``./dev test crash``: about forty seconds an event.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
from tests.support import crash_rounds, demos, scenes

from hanbae.sandbox import running

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4 * 3600)]

NAME = f"{demos.NAME}-every-event"
RESUMED: tuple[crash_rounds.Resume, ...] = ("attach", "deploy", "elsewhere")


@pytest.fixture
def scene() -> Iterator[scenes.Scene]:
    try:
        demo = scenes.hanbae("demo", "--keep", "--name", NAME, "--output", "json")
        assert demo.code == 0, demo.err[-4000:]
        scene = scenes.own(running.attach(NAME), "crash")
        first = scene.deploy(crash_rounds.SERVICE)
        assert first.code == 0, first.err
        yield scene
    finally:
        running.down(NAME)


def test_killed_after_every_event_and_resumed_nothing_happens_twice(scene: scenes.Scene) -> None:
    after = 0
    while True:
        after += 1
        resume = RESUMED[after % len(RESUMED)]
        began = time.monotonic()
        if crash_rounds.play(scene, 3 + after, after=str(after), resume=resume) is None:
            break
        seconds = time.monotonic() - began
        sys.stdout.write(f"killed after event {after}, resumed by {resume}: {seconds:.0f} s\n")
        sys.stdout.flush()
    assert after > 20, "a deployment of three databases has more events than that"
