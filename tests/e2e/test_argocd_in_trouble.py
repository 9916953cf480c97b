"""Parts of a cluster fail while hanbae deploys: what is said, and that nothing runs twice.

These scenarios kill parts of a sandbox and have ``sandbox up`` bring them back, so it is one of their own.
What each of the faults in the table of ``docs/reliability.md`` leaves is held to that table.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

import pytest
from tests.support import background, demos, evictions, holding, ledgers, polling, scenes

from hanbae import errors
from hanbae.sandbox import demo_shop, running

AWAY = 10.0
"""Seconds for which the API server is gone."""
NAME = f"{demos.NAME}-trouble"


@pytest.fixture(scope="module")
def trouble() -> Iterator[scenes.Scene]:
    """An environment with two services that are proven, in the sandbox that is broken."""
    running.down(NAME)
    try:
        scene = scenes.own(running.up(NAME), "trouble", services=("auth", "personal"))
        ended = scene.deploy("auth", "personal")
        assert ended.code == 0, ended.err
        yield scene
    finally:
        running.down(NAME)


@pytest.fixture
def staging(trouble: scenes.Scene) -> scenes.Scene:
    """The environment, driven through Argo CD's objects."""
    trouble.enter()
    return trouble


@pytest.fixture(params=["kubernetes", "argocd-api"])
def either(staging: scenes.Scene, request: pytest.FixtureRequest) -> scenes.Scene:
    """The environment, once through each transport."""
    return staging.served() if request.param == "argocd-api" else staging


@contextmanager
def without(scene: scenes.Scene, *components: str) -> Iterator[Callable[[], None]]:
    """Parts of the sandbox are killed; gives what brings them back, which happens in the end in any case."""
    sandbox = scene.shop.sandbox

    def back() -> None:
        running.up(sandbox.name)

    try:
        for name in components:
            stop = {"do": "stop", "name": name, "signal": int(signal.SIGKILL)}
            sandbox.site.namespaces.ask(stop, deadline_s=10)
        yield back
    finally:
        back()


def deploying(
    scene: scenes.Scene, service: str, *options: str
) -> AbstractContextManager[futures.Future[scenes.Ended]]:
    """A deployment beside us."""
    return background.running(lambda: scene.deploy(service, *options), within=polling.PATIENCE)


def next_version(scene: scenes.Scene, service: str) -> int:
    """The version of one more migration."""
    return max(int(path.name[:5]) for path in scene.migrations(service).glob("*.sql")) + 1


def slow_migration(scene: scenes.Scene, service: str) -> int:
    """A migration of some seconds that can be applied once only."""
    folder, number = scene.migrations(service), next_version(scene, service)
    statements = ["SELECT pg_sleep(8);", f"CREATE TABLE once_{number} (id bigint);"]
    scenes.write_migrations(folder, {f"{number:05d}_slowly.sql": statements})
    scene.build(service)
    return number


def migrates(scene: scenes.Scene, service: str, revision: str) -> bool:
    """Whether the revision's migration runs now, and Argo CD has recorded that it has started it."""
    application = scene.operation(service)
    state = application["status"].get("operationState") or {}
    sync = (state.get("operation") or {}).get("sync") or {}
    recorded = [
        resource["hookPhase"]
        for resource in (state.get("syncResult") or {}).get("resources") or []
        if resource["kind"] == "Job"
    ]
    return sync.get("revision") == revision and recorded == ["Running"]


def job(scene: scenes.Scene, service: str) -> dict[str, Any]:
    """The service's migration Job."""
    name = f"{service}-service-migrate"
    return scene.get("job", name, namespace=scene.namespace(service))


def test_a_controller_that_dies_in_mid_sync_and_comes_back_runs_nothing_twice(
    either: scenes.Scene,
) -> None:
    version = slow_migration(either, "personal")
    revision = either.publish("A slow migration")
    with deploying(either, "personal") as pending:
        polling.until(lambda: migrates(either, "personal", revision))
        with without(either, "argocd-application-controller") as back:
            began = job(either, "personal")["metadata"]["uid"]
            polling.until(lambda: job(either, "personal")["status"].get("succeeded"))
            back()
    deployment = pending.result(0)
    assert deployment.code == 0, deployment.err
    assert deployment.only["migrations"][0]["applied"] == [version]
    assert job(either, "personal")["metadata"]["uid"] == began
    assert either.versions("personal", "personal_db").count(version) == 1


def test_a_repo_server_that_is_down_is_named_and_not_the_chart(either: scenes.Scene) -> None:
    with without(either, "argocd-repo-server"):
        failed = either.deploy("auth")
    assert failed.code == 1, failed.err
    assert failed.causes == {"diagnosis.repo-server"}
    assert "the chart is not the cause" in failed.err
    assert "operation" not in either.operation("auth")
    again = either.deploy("auth")
    assert again.code == 0, again.err
    assert "moved on" not in again.err


def test_without_redis_a_deployment_still_tells_the_truth(either: scenes.Scene) -> None:
    with without(either, "redis"):
        ended = either.deploy("auth")
    assert ended.code == 0, ended.err
    assert ended.only["outcome"] == "succeeded"


def test_an_end_that_nobody_sees_is_unknown_and_nothing_runs_twice(
    staging: scenes.Scene,
) -> None:
    """The API server is gone until the time is over, and the migration goes on meanwhile."""
    version = next_version(staging, "personal")
    revision = holding.slow(staging, "personal", "", version)
    # The migration has to begin before the time is over, beside other scenes.
    with (
        deploying(staging, "personal", "--timeout", "60") as pending,
        holding.locked(staging, "personal", "personal_db"),
    ):
        polling.until(lambda: migrates(staging, "personal", revision))
        with without(staging, "kube-apiserver"):
            lost = pending.result(polling.PATIENCE)
    assert lost.code == 4, lost.err
    assert lost.only["outcome"] == "unknown"
    waited = staging.deploy("personal", "--if-busy", "wait")
    assert waited.code == 0, waited.err
    assert waited.only["migrations"][0]["version"] == version
    assert staging.versions("personal", "personal_db").count(version) == 1


def quick_migration(scene: scenes.Scene, service: str) -> str:
    """A migration of no time, in a new image, pushed; the commit."""
    folder, number = scene.migrations(service), next_version(scene, service)
    statements = [f"CREATE TABLE quick_{number} (id bigint);"]
    scenes.write_migrations(folder, {f"{number:05d}_quickly.sql": statements})
    scene.build(service)
    return scene.publish("A quick migration")


def is_unpulled(scene: scenes.Scene, service: str) -> bool:
    """Whether the kubelet has failed to pull the image of the migration."""
    return any(
        (status.get("state") or {}).get("waiting", {}).get("reason")
        in {"ErrImagePull", "ImagePullBackOff"}
        for pod in evictions.pods(scene, service, "migration")
        for status in pod["status"].get("containerStatuses") or []
    )


def test_a_registry_that_is_away_is_named_and_waited_for(staging: scenes.Scene) -> None:
    revision = quick_migration(staging, "personal")
    with ledgers.kept(staging, "personal") as ledger, without(staging, "registry") as back:
        with deploying(staging, "personal") as pending:
            polling.until(lambda: is_unpulled(staging, "personal"))
            back()
        deployment = pending.result(0)
    assert staging.shop.sandbox.registry.address in deployment.err
    ledger.hold("registry-away", code=deployment.code, revision=revision)


def away_while_proving(
    scene: scenes.Scene,
    service: str,
    pending: futures.Future[scenes.Ended],
    *,
    besides: str = "",
) -> bool:
    """The API server goes while goose proves, and goose ends before it is back.

    Args:
        scene: The environment.
        service: A service with one database.
        pending: Its deployment.
        besides: The uid of an earlier migration's Job.

    Returns:
        Whether the deployment came so far.
    """
    (database,) = scene.shop.declared(service, scene.environment)
    name = demo_shop.database_name(scene.environment, service, database.name)

    def state() -> object:
        """What Argo CD has recorded, and the pods, for one who reads why the moment never came."""
        operation = scene.operation(service)["status"].get("operationState")
        phases = {
            pod["metadata"]["name"]: pod["status"].get("phase")
            for pod in evictions.pods(scene, service)
        }
        return operation, phases

    def comes(happened: Callable[[], object]) -> bool:
        # Argo CD hears of an operation by its watch of the Applications, which comes back by a back-off that doubles
        # up to 30 to 60 s: 22 s after an outage of 11 s, later where the one before was a moment ago.
        polling.until(lambda: happened() or pending.done(), state=state)
        return not pending.done()

    def has_migrated() -> bool:
        with suppress(errors.Error):  # Argo CD takes an earlier Job away first
            live = job(scene, service)
            return live["metadata"]["uid"] != besides and bool(live["status"].get("succeeded"))
        return False

    def proves() -> bool:
        pods = evictions.pods(scene, service, "proof")
        return any(pod["status"].get("phase") == "Running" for pod in pods)

    if not comes(has_migrated):
        return False
    with ExitStack() as outage:
        with scene.shop.sandbox.postgres.connect(name) as connection, connection.transaction():
            connection.execute("LOCK TABLE goose_db_version")  # goose waits for this one
            if not comes(proves):
                return False
            outage.enter_context(without(scene, "kube-apiserver"))
        time.sleep(AWAY)  # it is the fault, and nothing is waited for
    return True


def test_an_api_server_that_is_away_for_ten_seconds_is_waited_for(staging: scenes.Scene) -> None:
    version = slow_migration(staging, "personal")
    revision = staging.publish("A slow migration")
    with ledgers.kept(staging, "personal") as ledger:
        with deploying(staging, "personal") as pending:
            polling.until(lambda: migrates(staging, "personal", revision))
            with without(staging, "kube-apiserver"):
                time.sleep(AWAY)  # it is the fault, and nothing is waited for
            has_proven = away_while_proving(staging, "personal", pending)
        deployment = pending.result(0)
    if has_proven:
        ledger.hold("api-server-away", code=deployment.code, revision=revision)
        return
    # Argo CD compares and applies now and then, and gives up its own sync where that meets the outage.
    assert deployment.code == 1, deployment.err
    # Its words depend on the request that broke. One that is ended on demand says so.
    state = staging.operation("personal")["status"]["operationState"]
    assert state["phase"] in {"Failed", "Error"}, deployment.err
    assert "terminate" not in state.get("message", ""), deployment.err
    assert not deployment.causes & scenes.MIGRATION_FAILED, deployment.err
    before = job(staging, "personal")["metadata"]["uid"]
    with deploying(staging, "personal", "--if-busy", "wait") as pending:
        assert away_while_proving(staging, "personal", pending, besides=before)
    again = pending.result(0)
    assert again.code == 0, again.err
    assert staging.versions("personal", "personal_db").count(version) == 1
