"""Two deployers of one application, and a deployment that is stopped in the middle of a bare migration."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from concurrent import futures
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tests.support import crash_rounds, crashing, holding, projects, scenes

from hanbae.results import events

SERVICE = crash_rounds.SERVICE
DATABASE = "auth_db"
MIGRATING = ("Pod/identity-service-migrate-auth-db", "Ready")
WAITING = "may be in a migration without a transaction"


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "busy")
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


def slow(scene: scenes.Scene, number: int, *, bare: bool = True) -> None:
    holding.slow(scene, SERVICE, DATABASE, number, bare=bare)


def locked(scene: scenes.Scene) -> AbstractContextManager[None]:
    return holding.locked(scene, SERVICE, DATABASE)


def deploying(
    scene: scenes.Scene, *options: str, until: tuple[str, ...] = MIGRATING
) -> AbstractContextManager[tuple[subprocess.Popen[str], list[str]]]:
    return holding.deploying(scene, SERVICE, *options, until=until)


def test_second_deployer_is_refused_and_stop_waits_for_a_bare_migration(
    scene: scenes.Scene,
) -> None:
    slow(scene, 4)
    variables = scene.deployer()
    with futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as lock:
        lock.enter_context(locked(scene))
        with deploying(scene) as (driver, lines):
            (running,) = [
                deployment
                for deployment, recorded in crashing.events_of(scene).items()
                if not isinstance(recorded[-1].fact, events.Closed)
            ]
            refused = scene.deploy(SERVICE)
            assert refused.code == 5, refused.err
            assert running in refused.err
            assert refused.only["outcome"] == "refused"
            words = ("stop", running, "--output", "json")
            stopping = pool.submit(scenes.hanbae, *words, directory=scene.clone, **variables)
            holding.until_said(lines, WAITING)
            assert "operation" in scene.operation(SERVICE), "it was ended in the middle"
            lock.close()
            stopped = stopping.result(120)
            assert stopped.code == 0, stopped.err
            assert stopped.only["outcome"] == "stopped"
            assert driver.wait(60) == 1
    assert scene.versions(SERVICE, DATABASE) == [1, 2, 3, 4], "it came to its end"
    assert "operation" not in scene.operation(SERVICE)
    recorded = crashing.events_of(scene)[running]
    assert crashing.closings(recorded)["Closed"] == 1


@pytest.mark.parametrize(
    ("number", "sent", "code"), [(5, signal.SIGTERM, 143), (6, signal.SIGINT, 130)]
)
def test_interrupted_deployer_detaches_and_attach_goes_on(
    scene: scenes.Scene, number: int, sent: signal.Signals, code: int
) -> None:
    slow(scene, number)
    variables = scene.deployer()
    with locked(scene), deploying(scene) as (driver, lines):
        driver.send_signal(sent)
        assert driver.wait(30) == code
    running = next(iter(crashing.events_of(scene)))
    text = "".join(lines)
    assert f"hanbae attach {running}" in text
    assert f"hanbae stop {running}" in text
    attached = scenes.hanbae(
        *("attach", running, "--output", "json"), directory=scene.clone, **variables
    )
    assert attached.code == 0, attached.err
    assert attached.only["outcome"] == "succeeded"
    assert scene.versions(SERVICE, DATABASE) == list(range(1, number + 1))


def test_one_deployer_waits_for_the_other_and_one_follows_it(scene: scenes.Scene) -> None:
    slow(scene, 7)
    before = set(crashing.events_of(scene))
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(locked(scene))
        driver, _ = stack.enter_context(deploying(scene))
        until = ("waiting for the end of that",)
        waiter, waited = stack.enter_context(deploying(scene, "--if-busy", "wait", until=until))
        follower, followed = stack.enter_context(deploying(scene, "--if-busy", "follow"))
        (theirs,) = [line for line in waited if until[0] in line]
        lock.close()
        assert driver.wait(120) == 0
        assert follower.wait(60) == 0, "".join(followed)
        assert waiter.wait(120) == 0, "".join(waited)
    recorded = {
        id_: happened for id_, happened in crashing.events_of(scene).items() if id_ not in before
    }
    first, second = sorted(recorded)
    assert first in theirs, "the waiting one says for whom"
    for happened in (first, second):
        assert crashing.closings(recorded[happened])["Closed"] == 1
    ended, begun = recorded[first][-1], crashing.first(recorded[second], events.Intended)
    assert ended.at <= begun.at, "it began before the other had ended"
    assert scene.versions(SERVICE, DATABASE) == list(range(1, 8))


def test_sync_that_a_person_presses_meanwhile_starts_nothing(scene: scenes.Scene) -> None:
    slow(scene, 8)
    with crashing.witness(scene, SERVICE) as sight, contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(locked(scene))
        driver, lines = stack.enter_context(deploying(scene))
        pressed = projects.Projects(scene.shop.sandbox).sync(f"{SERVICE}-{scene.environment}")
        assert pressed.status_code == 400, pressed.text
        assert "already in progress" in pressed.text
        lock.close()
        assert driver.wait(120) == 0, "".join(lines)
    assert [len(uids) for uids in sight.jobs.values()] == [1, 1, 1]
    assert len(sight.operations) == 1, sight.operations
    assert scene.versions(SERVICE, DATABASE) == list(range(1, 9))


def test_sync_of_a_person_who_was_faster_is_refused_or_waited_for(scene: scenes.Scene) -> None:
    slow(scene, 9)
    application = f"{SERVICE}-{scene.environment}"
    with crashing.witness(scene, SERVICE) as sight, contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(locked(scene))
        pressed = projects.Projects(scene.shop.sandbox).sync(application)
        assert pressed.status_code == 200, pressed.text
        refused = scene.deploy(SERVICE)
        assert refused.code == 5, refused.err
        assert "admin" in refused.err
        until = ("Argo CD is busy with", "admin")
        waiter, lines = stack.enter_context(deploying(scene, "--if-busy", "wait", until=until))
        assert "admin" in scene.operation(SERVICE)["operation"]["initiatedBy"]["username"]
        lock.close()
        assert waiter.wait(120) == 0, "".join(lines)
    assert len(sight.operations) == 2, sight.operations
    assert scene.versions(SERVICE, DATABASE) == list(range(1, 10))


def test_deployer_that_is_to_stop_when_interrupted_ends_its_operation(scene: scenes.Scene) -> None:
    slow(scene, 10, bare=False)
    with locked(scene), deploying(scene, "--stop-on-interrupt") as (driver, lines):
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(90) == 143, "".join(lines)
    assert "operation" not in scene.operation(SERVICE)
    recorded = crashing.events_of(scene)
    (closed,) = [event.fact for event in recorded[next(iter(recorded))][-1:]]
    assert isinstance(closed, events.Closed)
    assert closed.outcome == "stopped"
    assert scene.versions(SERVICE, DATABASE) == list(range(1, 10)), "it was taken back"
