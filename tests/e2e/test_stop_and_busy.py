"""Two deployers of one application, and a deployment that is stopped in the middle of a bare migration."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hanbae.results import events
from hanbae.testing import crash_rounds, crashing, scenes

SERVICE = crash_rounds.SERVICE


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "busy")
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


def bare(scene: scenes.Scene, number: int) -> None:
    """A migration outside a transaction that takes ten seconds."""
    path = scene.migrations(SERVICE) / "auth_db" / f"{number:05}_slow.sql"
    path.write_text("-- +goose NO TRANSACTION\n-- +goose Up\nSELECT pg_sleep(10);\n")
    scene.build(SERVICE)
    scene.publish("A slow migration")


@contextlib.contextmanager
def deploying(scene: scenes.Scene) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A deployment that has come to the slow migration."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hanbae", "deploy", SERVICE, "--env", scene.environment],
        cwd=scene.clone,
        env=scenes.clean_environment() | {"KUBECONFIG": str(scene.shop.sandbox.kubeconfig)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if "Pod/identity-service-migrate-auth-db" in line and "Ready" in line:
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
    bare(scene, 4)
    with deploying(scene) as (driver, lines):
        (running,) = [
            deployment
            for deployment, recorded in crashing.events_of(scene).items()
            if not isinstance(recorded[-1].fact, events.Closed)
        ]
        refused = scene.deploy(SERVICE)
        assert refused.code == 5
        assert running in refused.err
        assert refused.only["outcome"] == "refused"
        variables = {"KUBECONFIG": str(scene.shop.sandbox.kubeconfig)}
        stopped = scenes.hanbae("stop", running, "-o", "json", directory=scene.clone, **variables)
        assert stopped.code == 0, stopped.err
        assert stopped.only["outcome"] == "stopped"
        assert driver.wait(60) == 1
    assert "may be in a migration without a transaction" in "".join(lines)
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3, 4], "it came to its end"
    assert scene.versions(SERVICE, "legal_db") == [1, 2, 3]
    assert "operation" not in scene.operation(SERVICE)
    recorded = crashing.events_of(scene)[running]
    assert crashing.closings(recorded)["Closed"] == 1


def test_terminated_deployer_detaches_and_attach_goes_on_at_once(scene: scenes.Scene) -> None:
    bare(scene, 5)
    with deploying(scene) as (driver, lines):
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(30) == 143
    running = next(iter(crashing.events_of(scene)))
    said = "".join(lines)
    assert f"hanbae attach {running}" in said
    assert f"hanbae stop {running}" in said
    variables = {"KUBECONFIG": str(scene.shop.sandbox.kubeconfig)}
    attached = scenes.hanbae("attach", running, "-o", "json", directory=scene.clone, **variables)
    assert attached.code == 0, attached.err
    assert attached.only["outcome"] == "succeeded"
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3, 4, 5]
