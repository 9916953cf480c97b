"""Kills a deploying hanbae after a chosen commit to its history, and tells what the cluster has seen meanwhile.

It sends itself SIGKILL as soon as so many events are on the disk: not one instruction later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.support import scenes

from hanbae.history import stores
from hanbae.policy import naming
from hanbae.results import events

_START: Final = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from tests.support import crashing
crashing.die_after(sys.argv.pop(1))
sys.argv[0] = "hanbae"
from hanbae.cli import main
main.main()
"""
_ROOT: Final = Path(__file__).parents[2]
_ALL: Final = 10**9
_JOBS: Final = "custom-columns=N:.metadata.name,U:.metadata.uid"
PAUSE: Final = 0.5
"""Seconds after which a watch is begun again that has ended."""
_OPERATIONS: Final = (
    "custom-columns=S:.status.operationState.startedAt,"
    "I:.status.operationState.operation.info[0].value"
)


def die_after(moment: str) -> None:
    """Have this process killed as soon as so many events are on the disk.

    Args:
        moment: A number of events, or of those of one kind: ``12``, ``Proved:3``; with ``before`` and a blank in front,
            the last of them is not on the disk yet.
    """
    is_before, kind_and_number = moment.startswith("before "), moment.removeprefix("before ")
    kind, _, number = kind_and_number.rpartition(":")
    left, append = int(number), stores.Store.append

    def counted(
        self: stores.Store,
        deployment: str,
        step: str | None,
        fact: events.Fact,
        recorded_at: datetime,
    ) -> events.Event:
        nonlocal left
        left -= kind in {"", type(fact).__name__}
        if left == 0 and is_before:
            os.kill(os.getpid(), signal.SIGKILL)
        event = append(self, deployment, step, fact, recorded_at)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    stores.Store.append = counted  # type: ignore[method-assign]


def killed(
    scene: scenes.Scene,
    service: str,
    *options: str,
    after: str,
    command: str = "deploy",
    **environment: str,
) -> int:
    """Deploy, or go back, and die at a moment; see :func:`die_after`.

    Returns:
        The exit code; that of SIGKILL unless the deployment has fewer events.
    """
    ended = subprocess.run(
        [
            *(sys.executable, "-c", _START, str(_ROOT), after),
            *(command, service, "--env", scene.environment, *options),
        ],
        cwd=scene.clone,
        env=scenes.clean_environment() | scene.deployer() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode


@dataclass
class Witness:
    """What an independent watcher has seen of one service.

    Attributes:
        jobs: Migration Job → its uids.
        operations: Starts of operations with the key that each carried.
    """

    jobs: dict[str, set[str]] = field(default_factory=dict)
    operations: set[tuple[str, str]] = field(default_factory=set)


@contextlib.contextmanager
def witness(scene: scenes.Scene, service: str) -> Iterator[Witness]:
    """Watch migration Jobs and operations with kubectl; what was there before does not count."""
    sight = Witness()
    before: set[str] = set()
    release = naming.release(scene.shop.policy, service, scene.environment)
    application = naming.application(scene.shop.policy, service, scene.environment)
    argocd = scene.shop.policy.argocd.namespace
    earlier = _kubectl(scene, ["get", "jobs", "-n", scene.namespace(service), "-o", _JOBS])
    before |= {line.split()[1] for line in earlier.splitlines()[1:]}
    last = _kubectl(scene, ["get", "application", application, "-n", argocd, "-o", _OPERATIONS])
    ended = {tuple(line.split()[:2]) for line in last.splitlines()[1:]}

    def job(line: str) -> None:
        name, uid = line.split()[:2]
        if name.startswith(f"{release}-migrate") and uid not in before:
            sight.jobs.setdefault(name, set()).add(uid)

    def operation(line: str) -> None:
        started, key = line.split()[:2]
        if (started, key) not in ended and started != "<none>":
            sight.operations.add((started, key))

    jobs = ["get", "jobs", "-n", scene.namespace(service), "-o", _JOBS]
    with (
        _watching(scene, jobs, job),
        _watching(
            scene, ["get", "application", application, "-n", argocd, "-o", _OPERATIONS], operation
        ),
    ):
        yield sight


@contextlib.contextmanager
def _watching(scene: scenes.Scene, words: list[str], take: Callable[[str], None]) -> Iterator[None]:
    watches: list[subprocess.Popen[str]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():  # kubectl ends when the API server goes away
            with subprocess.Popen(
                [*_command(scene), *words, "--no-headers", "--watch"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as process:
                watches.append(process)
                if over.is_set():
                    process.kill()
                assert process.stdout is not None
                for line in process.stdout:
                    if line.strip():
                        take(line)
            over.wait(PAUSE)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        for process in watches:
            process.kill()
        watcher.join()


def _kubectl(scene: scenes.Scene, words: list[str]) -> str:
    return scene.shop.sandbox.kubectl(words).decode()


def _command(scene: scenes.Scene) -> list[str]:
    sandbox = scene.shop.sandbox
    return [str(sandbox.binaries.path("kubectl")), f"--kubeconfig={sandbox.kubeconfig}"]


def events_of(scene: scenes.Scene, *, history: Path | None = None) -> dict[str, list[events.Event]]:
    """Deployment → its events, from a history."""
    url = f"sqlite:///{history}" if history else scene.shop.policy.history.url
    with stores.open_store(url) as store:
        listed = store.deployments(limit=_ALL)
        return {deployment.id: store.events(deployment.id) for deployment in listed}


def closings(recorded: list[events.Event]) -> Counter[str]:
    """How often each kind of fact was recorded."""
    return Counter(type(event.fact).__name__ for event in recorded)


def first(recorded: list[events.Event], kind: type[events.Fact]) -> events.Event:
    """The first event of a kind."""
    return next(event for event in recorded if isinstance(event.fact, kind))
