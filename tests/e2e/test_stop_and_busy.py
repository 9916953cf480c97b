"""Two deployers of one application, and a deployment that is stopped in the middle of a bare migration."""

from __future__ import annotations

import contextlib
import signal
from typing import Any

import pytest
from tests.support import crash_rounds, crashing, polling, projects, scenes, two_deployers

SERVICE = crash_rounds.SERVICE
DATABASE = "auth_db"


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "busy", services=(SERVICE,))
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


@pytest.fixture
def two(scene: scenes.Scene) -> two_deployers.Deployers:
    return two_deployers.Deployers(scene, SERVICE, DATABASE)


def test_second_deployer_is_refused_and_stop_waits_for_a_bare_migration(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    two_deployers.refuse_and_stop(two)
    assert "operation" not in scene.operation(SERVICE)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_interrupted_deployer_detaches_and_attach_goes_on(
    two: two_deployers.Deployers, sent: signal.Signals, code: int
) -> None:
    two_deployers.interrupt_and_attach(two, sent, code)


def test_one_deployer_waits_for_the_other_and_one_follows_it(two: two_deployers.Deployers) -> None:
    two_deployers.wait_and_follow(two)


def test_sync_that_a_person_presses_meanwhile_starts_nothing(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    expected = two.slow()
    with crashing.witness(scene, SERVICE) as sight, contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(two.locked())
        driver, lines = stack.enter_context(two.deploying())
        pressed = projects.Projects(scene.shop.sandbox).sync(f"{SERVICE}-{scene.environment}")
        assert pressed.status_code == 400, pressed.text
        assert "already in progress" in pressed.text
        lock.close()
        assert driver.wait(polling.PATIENCE) == 0, "".join(lines)
    assert [len(uids) for uids in sight.jobs.values()] == [1, 1, 1]
    assert len(sight.operations) == 1, sight.operations
    assert two.versions == expected


def test_sync_of_a_person_who_was_faster_is_refused_or_waited_for(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    expected = two.slow()
    application = f"{SERVICE}-{scene.environment}"
    with crashing.witness(scene, SERVICE) as sight, contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(two.locked())
        pressed = projects.Projects(scene.shop.sandbox).sync(application)
        assert pressed.status_code == 200, pressed.text
        refused = scene.deploy(SERVICE)
        assert refused.code == 5, refused.err
        assert "admin" in refused.err
        late = scene.deploy(SERVICE, "--if-busy", "wait", "--timeout", "3")
        assert late.code == 5, late.err
        assert "has not ended within 3 s" in late.err
        until = ("Argo CD is busy with", "admin")
        waiter, lines = stack.enter_context(two.deploying("--if-busy", "wait", until=until))
        assert "admin" in scene.operation(SERVICE)["operation"]["initiatedBy"]["username"]
        lock.close()
        assert waiter.wait(polling.PATIENCE) == 0, "".join(lines)
    assert len(sight.operations) == 2, sight.operations
    assert two.versions == expected


def test_deployer_that_is_to_stop_when_interrupted_ends_its_operation(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    two_deployers.stop_when_interrupted(two)
    assert "operation" not in scene.operation(SERVICE)
