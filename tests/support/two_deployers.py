"""Scenes with two deployers of one service, and with one who goes away: the same whichever engine deploys."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.support import background, crashing, holding, polling, scenes

from hanbae.policy import labels, naming
from hanbae.results import events

WAITING = "may be in a migration without a transaction"


@dataclass(frozen=True)
class Deployers:
    """A service in an environment in which it is deployed already.

    Attributes:
        scene: The environment.
        service: The service.
        database: One of its databases.
    """

    scene: scenes.Scene
    service: str
    database: str

    @property
    def versions(self) -> list[int]:
        """What was applied to the database."""
        return self.scene.versions(self.service, self.database)

    @property
    def job(self) -> str:
        """Name of the Job that migrates the database; a service of several has one for each."""
        release = naming.release(self.scene.shop.policy, self.service, self.scene.environment)
        several = (self.scene.migrations(self.service) / self.database).is_dir()
        return f"{release}-migrate" + (f"-{self.database.replace('_', '-')}" if several else "")

    def slow(self, *, bare: bool = True) -> list[int]:
        """Publish one more migration, which waits for the lock; what the database has once that has run."""
        number = (self.versions or [0])[-1] + 1
        holding.slow(self.scene, self.service, self.database, number, bare=bare)
        return [*self.versions, number]

    def locked(self) -> AbstractContextManager[None]:
        """As long as this holds the lock, the migration goes on."""
        return holding.locked(self.scene, self.service, self.database)

    def deploying(
        self, *options: str, until: tuple[str, ...] = ()
    ) -> AbstractContextManager[tuple[subprocess.Popen[str], list[str]]]:
        """A deployment that has said some words in one line; by default that the migration runs."""
        migrating = (f"Pod/{self.job}-", "Ready")
        return holding.deploying(self.scene, self.service, *options, until=until or migrating)

    def migrates(self) -> bool:
        """Whether a migration runs."""
        words = ("get", "jobs", "-n", self.scene.namespace(self.service), "-o", "json")
        selector = ("-l", f"{labels.COMPONENT}=migration")
        jobs = json.loads(self.scene.shop.sandbox.kubectl([*words, *selector]))["items"]
        return any((job.get("status") or {}).get("active") for job in jobs)

    def running(self) -> str:
        """Id of the deployment that has not ended."""
        (running,) = [
            deployment
            for deployment, recorded in crashing.events_of(self.scene).items()
            if not isinstance(recorded[-1].fact, events.Closed)
        ]
        return running


def refuse_and_stop(two: Deployers) -> None:
    """The second is refused; a third stops the first, which waits for the end of a bare migration."""
    expected, variables = two.slow(), two.scene.deployer()
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as lock:
        lock.enter_context(two.locked())
        with two.deploying() as (driver, lines):
            running = two.running()
            refused = two.scene.deploy(two.service)
            assert refused.code == 5, refused.err
            assert running in refused.err
            assert refused.only["outcome"] == "refused"
            words = ("stop", running, "--output", "json")
            stop = functools.partial(scenes.hanbae, *words, directory=two.scene.clone, **variables)
            stopping = stack.enter_context(background.running(stop, within=polling.PATIENCE))
            holding.until_said(lines, WAITING)
            assert two.migrates(), "it was ended in the middle"
            lock.close()
            stopped = stopping.result(polling.PATIENCE)
            assert stopped.code == 0, stopped.err
            assert stopped.only["outcome"] == "stopped"
            assert driver.wait(polling.PATIENCE) == 1
    assert two.versions == expected, "it came to its end"
    polling.until(lambda: not two.migrates())  # the Job's controller says so later
    recorded = crashing.events_of(two.scene)[running]
    assert crashing.closings(recorded)["Closed"] == 1


def interrupt_and_attach(two: Deployers, sent: signal.Signals, code: int) -> None:
    """One goes away with a signal; what was begun is attached to, and comes to its end."""
    expected, variables = two.slow(), two.scene.deployer()
    with two.locked(), two.deploying() as (driver, lines):
        driver.send_signal(sent)
        assert driver.wait(polling.PATIENCE) == code
    running = next(iter(crashing.events_of(two.scene)))
    text = "".join(lines)
    assert f"hanbae attach {running}" in text
    assert f"hanbae stop {running}" in text
    attached = scenes.hanbae(
        *("attach", running, "--output", "json"), directory=two.scene.clone, **variables
    )
    assert attached.code == 0, attached.err
    assert attached.only["outcome"] == "succeeded"
    assert two.versions == expected


def wait_and_follow(two: Deployers) -> None:
    """One waits for the other's end and deploys then; one follows it."""
    expected, before = two.slow(), set(crashing.events_of(two.scene))
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(two.locked())
        driver, _ = stack.enter_context(two.deploying())
        until = ("waiting for the end of that",)
        waiter, waited = stack.enter_context(two.deploying("--if-busy", "wait", until=until))
        follower, followed = stack.enter_context(two.deploying("--if-busy", "follow"))
        (theirs,) = [line for line in waited if until[0] in line]
        lock.close()
        assert driver.wait(polling.PATIENCE) == 0
        assert follower.wait(polling.PATIENCE) == 0, "".join(followed)
        assert waiter.wait(polling.PATIENCE) == 0, "".join(waited)
    recorded = {
        id_: happened
        for id_, happened in crashing.events_of(two.scene).items()
        if id_ not in before
    }
    first, second = sorted(recorded)
    assert first in theirs, "the waiting one says for whom"
    for happened in (first, second):
        assert crashing.closings(recorded[happened])["Closed"] == 1
    ended, begun = recorded[first][-1], crashing.first(recorded[second], events.Intended)
    assert ended.at <= begun.at, "it began before the other had ended"
    assert two.versions == expected


def stop_when_interrupted(two: Deployers) -> None:
    """One that is to stop when it is interrupted ends a migration in a transaction, which is taken back."""
    before = two.versions
    two.slow(bare=False)
    with two.locked(), two.deploying("--stop-on-interrupt") as (driver, lines):
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(polling.PATIENCE) == 143, "".join(lines)
    polling.until(lambda: not two.migrates())  # the Job's controller says so later
    recorded = crashing.events_of(two.scene)
    (closed,) = [event.fact for event in recorded[next(iter(recorded))][-1:]]
    assert isinstance(closed, events.Closed)
    assert closed.outcome == "stopped"
    assert two.versions == before, "it was taken back"
