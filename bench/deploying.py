"""``hanbae deploy`` against the bare operation, and how soon a cause is named; on a sandbox of its own."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from bench import failing
from bench.rows import Row
from tests.support import crashing, delays, faults, scenes

from hanbae.policy import naming
from hanbae.results import events
from hanbae.sandbox import running

NAME = "bench-deploy"
ENVIRONMENT = "staging"
SERVICE = "personal"
RUNS = 5
WITHIN = 180.0


@contextlib.contextmanager
def shop() -> Iterator[scenes.Scene]:
    """The demo's shop, on a sandbox of its own."""
    try:
        ended = scenes.hanbae("demo", "--keep", "--name", NAME, "--output", "json")
        if ended.code:
            raise SystemExit(ended.err[-4000:])
        scene = scenes.Scene(scenes.shop(running.attach(NAME), ENVIRONMENT), ENVIRONMENT)
        scene.enter()
        yield scene
    finally:
        running.down(NAME)


def overhead(scene: scenes.Scene) -> list[Row]:
    """The same commit again and again, in turn: hooks, rollout and all."""
    _bare(scene)
    _deployed(scene)
    pairs = [(_deployed(scene), _bare(scene)) for _ in range(RUNS)]
    whole, bare = (
        statistics.median(seconds) for seconds in ([a[0] for a, _ in pairs], [b for _, b in pairs])
    )
    driven = statistics.median(a[1] for a, _ in pairs)
    proven = statistics.median(a[2] for a, _ in pairs)
    return [
        Row("deploy, operation to rollout \\| bare operation + watch", driven, bare, "5 % or 200 ms", RUNS),
        Row("deploy, proving one database", proven, None, "", RUNS),
        Row("deploy, the whole command \\| bare operation + watch", whole, bare, "", RUNS),
    ]  # fmt: skip


def _deployed(scene: scenes.Scene) -> tuple[float, float, float]:
    """Seconds of the whole command, from the operation to the rollout, and of the proof."""
    began = time.perf_counter()
    ended = scene.deploy(SERVICE)
    whole = time.perf_counter() - began
    if ended.code:
        raise SystemExit(ended.err)
    recorded = crashing.events_of(scene)[ended.only["id"]]
    syncing, proving = (event.at for event in recorded if isinstance(event.fact, events.Intended))
    closed = recorded[-1].at
    return whole, (proving - syncing).total_seconds(), (closed - proving).total_seconds()


def _bare(scene: scenes.Scene) -> float:
    """What somebody does without hanbae: write the operation, wait for its end, wait for the rollout."""
    application = naming.application(scene.shop.policy, SERVICE, ENVIRONMENT)
    argocd = scene.shop.policy.argocd.namespace
    live = scene.get("application", application, namespace=argocd)
    options = live["spec"]["syncPolicy"].get("syncOptions", [])
    before = live["status"]["operationState"]["startedAt"]
    sync = {
        "revision": live["status"]["operationState"]["operation"]["sync"]["revision"],
        "syncStrategy": {"hook": {}},
        "syncOptions": options,
    }
    patch = json.dumps({"operation": {"sync": sync, "initiatedBy": {"username": "bench"}}})
    kubectl = scene.shop.sandbox.kubectl
    watch = [
        "-o",
        "jsonpath={.status.operationState.startedAt} {.status.operationState.phase}{'\\n'}",
    ]
    words = ["get", "application", application, "-n", argocd, "--watch", *watch]
    with _lines(scene, words) as lines:
        began = time.perf_counter()
        kubectl(["patch", "application", application, "-n", argocd, "--type", "merge", "-p", patch])
        for _, line in lines:
            started, _, phase = line.strip().partition(" ")
            if started != before and phase in {"Succeeded", "Failed", "Error"}:
                break
        release = naming.release(scene.shop.policy, SERVICE, ENVIRONMENT)
        kubectl(["rollout", "status", f"deployment/{release}", "-n", scene.namespace(SERVICE)])
        return time.perf_counter() - began


def causes(scene: scenes.Scene) -> list[Row]:
    """From an independent watcher's sight of the cluster's word to the recorded cause, all faults side by side."""
    broken = scenes.own(scene.shop.sandbox, "early")
    try:
        faults.publish(broken)
        after = delays.deploy(broken).after
    finally:
        faults.clean(broken)
    return [
        Row(f"naming {fault.words}, after the cluster did", after[service], None, "1 s", 1)
        for service, fault in faults.FAULTS.items()
    ]


@contextlib.contextmanager
def _lines(scene: scenes.Scene, words: list[str]) -> Iterator[Iterator[tuple[datetime, str]]]:
    """What kubectl prints as it watches, with the time at which it did."""
    sandbox = scene.shop.sandbox
    command = [str(sandbox.binaries.path("kubectl")), f"--kubeconfig={sandbox.kubeconfig}", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout
        if output is None:
            raise AssertionError(words)
        overdue = threading.Timer(WITHIN, process.kill)
        overdue.start()
        try:
            yield ((datetime.now(UTC), line) for line in output)
        finally:
            overdue.cancel()
            process.kill()


def deploy() -> list[Row]:
    """Everything, on one sandbox."""
    with shop() as scene:
        return [*overhead(scene), *failing.failures(scene.shop.sandbox), *causes(scene)]
