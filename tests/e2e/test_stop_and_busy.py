"""Two deployers of one application, and a deployment that is stopped in the middle of a bare migration."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

from hanbae.results import events
from hanbae.sandbox import demo_shop
from hanbae.testing import crash_rounds, crashing, scenes

SERVICE = crash_rounds.SERVICE
LOCK = 4711
MIGRATING = ("Pod/identity-service-migrate-auth-db", "Ready")
WAITING = "may be in a migration without a transaction"


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "busy")
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


def slow(scene: scenes.Scene, number: int, *, bare: bool = True) -> None:
    """A migration that waits for a lock; a bare one is outside a transaction."""
    path = scene.migrations(SERVICE) / "auth_db" / f"{number:05}_slow.sql"
    how = "-- +goose NO TRANSACTION\n" if bare else ""
    path.write_text(f"{how}-- +goose Up\nSELECT pg_advisory_lock({LOCK});\n")
    scene.build(SERVICE)
    scene.publish("A slow migration")


@contextlib.contextmanager
def locked(scene: scenes.Scene) -> Iterator[None]:
    """As long as this holds the lock, the migration goes on."""
    name = demo_shop.database_name(scene.environment, SERVICE, "auth_db")
    with scene.shop.sandbox.postgres.connect(name) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield


def until_said(lines: list[str], words: str) -> None:
    ends = time.monotonic() + 60
    while not any(words in line for line in lines):
        assert time.monotonic() < ends, "".join(lines)
        time.sleep(0.1)


@contextlib.contextmanager
def deploying(
    scene: scenes.Scene, *options: str, until: tuple[str, ...] = MIGRATING
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A deployment that has come to the slow migration, or to what else it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hanbae", "deploy", SERVICE, "--env", scene.environment, *options],
        cwd=scene.clone,
        env=scenes.clean_environment() | scene.deployer(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if all(words in line for words in until):
            break
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
    reader.start()
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


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
            until_said(lines, WAITING)
            assert "operation" in scene.operation(SERVICE), "it was ended in the middle"
            lock.close()
            stopped = stopping.result(120)
            assert stopped.code == 0, stopped.err
            assert stopped.only["outcome"] == "stopped"
            assert driver.wait(60) == 1
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3, 4], "it came to its end"
    assert "operation" not in scene.operation(SERVICE)
    recorded = crashing.events_of(scene)[running]
    assert crashing.closings(recorded)["Closed"] == 1


def test_terminated_deployer_detaches_and_attach_goes_on(scene: scenes.Scene) -> None:
    slow(scene, 5)
    variables = scene.deployer()
    with locked(scene), deploying(scene) as (driver, lines):
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(30) == 143
    running = next(iter(crashing.events_of(scene)))
    said = "".join(lines)
    assert f"hanbae attach {running}" in said
    assert f"hanbae stop {running}" in said
    attached = scenes.hanbae(
        *("attach", running, "--output", "json"), directory=scene.clone, **variables
    )
    assert attached.code == 0, attached.err
    assert attached.only["outcome"] == "succeeded"
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3, 4, 5]


def test_one_deployer_waits_for_the_other_and_one_follows_it(scene: scenes.Scene) -> None:
    slow(scene, 6)
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
    recorded = {id_: each for id_, each in crashing.events_of(scene).items() if id_ not in before}
    first, second = sorted(recorded)
    assert first in theirs, "the waiting one says for whom"
    for each in (first, second):
        assert crashing.closings(recorded[each])["Closed"] == 1
    ended, begun = recorded[first][-1], crashing.first(recorded[second], events.Intended)
    assert ended.at <= begun.at, "it began before the other had ended"
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3, 4, 5, 6]


def test_deployer_that_is_to_stop_when_interrupted_ends_its_operation(scene: scenes.Scene) -> None:
    slow(scene, 7, bare=False)
    with locked(scene), deploying(scene, "--stop-on-interrupt") as (driver, lines):
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(90) == 143, "".join(lines)
    assert "operation" not in scene.operation(SERVICE)
    recorded = crashing.events_of(scene)
    (closed,) = [each.fact for each in recorded[next(iter(recorded))][-1:]]
    assert isinstance(closed, events.Closed)
    assert closed.outcome == "stopped"
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3, 4, 5, 6], "it was taken back"
