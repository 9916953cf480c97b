"""What breaks under a deployment leaves exactly what the table of faults in ``docs/reliability.md`` says.

Faults that break a sandbox are in ``test_argocd_in_trouble.py``.
"""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support import (
    background,
    demos,
    evictions,
    holding,
    ledgers,
    polling,
    registries,
    scenes,
)
from tests.support import token_thieves as thieves

from hanbae.charts import values
from hanbae.policy import loading
from hanbae.sandbox import demo_shop

SERVICE, DATABASE = "personal", "personal_db"
MIGRATING = (f"Pod/{SERVICE}-service-migrate", "Ready")


@pytest.fixture(scope="module")
def scene(demo: demos.Demo) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "faults", services=(SERVICE,))
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


def running(scene: scenes.Scene, component: str) -> list[evictions.Pod]:
    """The pods of a component that run."""
    pods = evictions.pods(scene, SERVICE, component)
    return [pod for pod in pods if pod["status"].get("phase") == "Running"]


def test_an_evicted_migration_is_begun_again_and_applied_once(scene: scenes.Scene) -> None:
    revision = holding.slow(scene, SERVICE, "", 4)
    with ledgers.kept(scene, SERVICE) as ledger, ExitStack() as stack:
        lock = stack.enter_context(ExitStack())
        lock.enter_context(holding.locked(scene, SERVICE, DATABASE))
        driver, lines = stack.enter_context(holding.deploying(scene, SERVICE, until=MIGRATING))
        first = evictions.awaited(lambda: running(scene, "migration"))
        evictions.evict(scene, first)
        others = [first["metadata"]["uid"]]
        evictions.awaited(
            lambda: [
                pod for pod in running(scene, "migration") if pod["metadata"]["uid"] not in others
            ]
        )
        lock.close()
        assert driver.wait(polling.PATIENCE) == 0, "".join(lines)
    ledger.hold("evicted-migration", code=0, revision=revision)


def test_evicted_pods_of_the_rollout_and_of_the_proof_are_replaced(scene: scenes.Scene) -> None:
    scenes.write_migrations(
        scene.migrations(SERVICE), {"00005_quick.sql": ["CREATE TABLE quick (id bigint);"]}
    )
    scene.build(SERVICE)
    revision = scene.publish("A quick migration")
    before = {pod["metadata"]["uid"] for pod in evictions.pods(scene, SERVICE)}
    name = demo_shop.database_name(scene.environment, SERVICE, DATABASE)

    def serving() -> list[evictions.Pod]:
        return [
            pod
            for pod in scene.pods(SERVICE).values()
            if pod["metadata"]["uid"] not in before and pod["spec"].get("nodeName")
        ]

    deploying = background.running(lambda: scene.deploy(SERVICE), within=polling.PATIENCE)
    with ledgers.kept(scene, SERVICE) as ledger, deploying as deployment:
        evictions.evict(scene, evictions.awaited(serving))
        with scene.shop.sandbox.postgres.connect(name) as connection, connection.transaction():
            connection.execute("LOCK TABLE goose_db_version")  # until then the proof waits
            evictions.evict(scene, evictions.awaited(lambda: running(scene, "proof")))
        ended = deployment.result(polling.PATIENCE)
    ledger.hold("evicted-pods", code=ended.code, revision=revision)


def test_no_password_goes_to_a_host_that_is_not_the_registrys(
    scene: scenes.Scene, tmp_path: Path
) -> None:
    host = scene.shop.sandbox.site.identity.outer
    with thieves.running(tmp_path, host) as thief, ledgers.kept(scene, SERVICE) as ledger:
        login = base64.b64encode(f"{registries.USER}:{registries.PASSWORD}".encode()).decode()
        auths = {thief.registry: {"auth": login}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        with values.editing(scene.clone / loading.NAME, loading.NAME) as policy:
            policy.update({("registries", thief.registry, "plain_http"): True})
        scene.edit(SERVICE, {"image.repository": f"{thief.registry}/shop/{SERVICE}"})
        revision = scene.publish("Another registry")
        ended = scene.deploy(
            SERVICE,
            "--timeout",
            "20",
            DOCKER_CONFIG=str(tmp_path),
            HANBAE_PLAIN_REGISTRIES=thief.registry,
            SSL_CERT_FILE=str(thief.certificate),
        )
    assert not thief.logins
    assert thieves.HOST in ended.err, "where it was to go is said"
    assert f"HANBAE_TOKEN_SERVERS={host.partition(':')[0]}={thieves.HOST}" in ended.err
    ledger.hold("foreign-realm", code=ended.code, revision=revision)
    polling.until(lambda: "operation" not in scene.operation(SERVICE))
