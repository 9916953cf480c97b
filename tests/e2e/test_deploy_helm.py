"""Deployments with Helm, on a real cluster: hooks in their order, secrets adopted, and nobody's release taken over.

Whoever deploys here has the rights that ``hanbae generate rbac`` writes for an environment under Helm, and no others.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest
from tests.support import crashing, demos, endpoints, polling, scenes, two_deployers

from hanbae.sandbox import demo_repository

SERVICE, RELEASE, DATABASE = "auth", "auth-service", "auth_db"


@pytest.fixture
def admin(demo: demos.Demo) -> dict[str, str]:
    """What makes a child an administrator who has Helm."""
    folder = demo.sandbox.site.folder.root / "bin"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {"KUBECONFIG": str(demo.sandbox.kubeconfig), "PATH": path}


@pytest.fixture(scope="module")
def helmed(demo: demos.Demo) -> scenes.Scene:
    """An environment that Argo CD knows nothing of, with one service."""
    return scenes.own(demo.sandbox, "helm", services=(SERVICE,), by_helm=True)


@pytest.fixture
def scene(helmed: scenes.Scene) -> scenes.Scene:
    helmed.enter()
    return helmed


@pytest.fixture
def two(scene: scenes.Scene) -> two_deployers.Deployers:
    return two_deployers.Deployers(scene, SERVICE, DATABASE)


def answered(scene: scenes.Scene, verb: str, *options: str) -> dict[str, Any]:
    """What a command says of the service as JSON."""
    words = (*verb.split(), SERVICE, "--env", scene.environment, "--output", "json", *options)
    ended = scenes.hanbae(*words, directory=scene.clone, **scene.deployer())
    assert ended.code in {0, 1, 3}, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return answer


def standing(scene: scenes.Scene) -> dict[str, Any]:
    (entry,) = answered(scene, "status")["standings"]
    return dict(entry)


def records(scene: scenes.Scene) -> dict[int, str]:
    """Helm's number of each revision → its status."""
    label = f"owner=helm,name={RELEASE}"
    words = ["get", "secret", "-n", scene.namespace(SERVICE), "-l", label, "-o", "json"]
    listed = json.loads(scene.shop.sandbox.kubectl(words))["items"]
    named = [item["metadata"]["labels"] for item in listed]
    return {int(labels["version"]): labels["status"] for labels in named}


def migration(scene: scenes.Scene) -> dict[str, Any]:
    """The migration Job as it is now."""
    return scene.get("job", f"{RELEASE}-migrate", namespace=scene.namespace(SERVICE))


def applied(deployment: dict[str, Any]) -> dict[str, tuple[int, list[int]]]:
    """Database → version and what was applied now."""
    return {m["database"]: (m["version"], m["applied"]) for m in deployment["migrations"]}


def test_first_deployment_brings_secrets_and_migrations_before_the_pods(
    scene: scenes.Scene,
) -> None:
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    assert applied(ended.only) == {"auth_db": (3, [1, 2, 3])}
    assert scene.versions(SERVICE, "auth_db") == [1, 2, 3]
    assert records(scene) == {1: "deployed"}
    namespace = scene.namespace(SERVICE)
    job = scene.get("job", f"{RELEASE}-migrate", namespace=namespace)
    (pod, *_) = scene.pods(SERVICE).values()
    assert job["status"]["completionTime"] <= pod["metadata"]["creationTimestamp"]
    words = ["get", "sealedsecret", f"{SERVICE}-secrets", "-n", namespace, "-o", "json"]
    sealed = json.loads(scene.shop.sandbox.kubectl([*words, "--show-managed-fields"]))
    assert sealed["metadata"]["annotations"]["meta.helm.sh/release-name"] == RELEASE
    managers = {entry["manager"] for entry in sealed["metadata"]["managedFields"]}
    assert "hanbae" not in managers, "Helm would not take away what it no longer has"

    entry = standing(scene)
    assert (entry["state"], entry["deployed"]) == ("current", ended.only["revision"])
    assert entry["outcome"] == "succeeded"
    assert entry["drifts"] == []


def test_what_was_changed_by_hand_is_named_with_its_author_and_put_back(
    scene: scenes.Scene,
) -> None:
    namespace = scene.namespace(SERVICE)
    kubectl = scene.shop.sandbox.kubectl
    # `kubectl scale` to 0 leaves nobody's name: the API server keeps none for a number that is 0.
    patch = ("--type", "merge", "--patch", '{"spec": {"replicas": 0}}')
    kubectl(["patch", "deployment", RELEASE, *patch, "-n", namespace])
    kubectl(["delete", "service", RELEASE, "-n", namespace])
    polling.until(lambda: standing(scene)["state"] == "drifted", pause=0.5)
    by_kind = {drift["object"]["kind"]: drift for drift in standing(scene)["drifts"]}
    assert by_kind["Deployment"]["fields"] == ["spec.replicas"]
    assert by_kind["Deployment"]["author"] == "kubectl-patch"
    assert by_kind["Service"]["is_gone"]

    (preview,) = answered(scene, "plan")["plans"]
    assert {"drift.changed", "drift.gone"} <= {note["id"] for note in preview["notes"]}
    causes = {entry["cause"]["id"]: entry for entry in answered(scene, "doctor")["diagnoses"]}
    assert causes["diagnosis.changed-by-hand"]["cause"]["facts"]["author"] == "kubectl-patch"
    assert causes["diagnosis.gone"]["subject"]["kind"] == "Service"

    again = scene.deploy(SERVICE)
    assert again.code == 0, again.err
    assert applied(again.only) == {DATABASE: (3, [])}
    texts = {text["id"]: text["facts"] for text in json.loads(again.out)["drifted"]}
    assert texts["drift.changed"]["author"] == "kubectl-patch"
    assert standing(scene)["state"] == "current"
    assert scene.pods(SERVICE)


def test_pods_are_restarted_and_put_back(scene: scenes.Scene) -> None:
    before = scene.pods(SERVICE)
    (state,) = answered(scene, "rollout restart")["rollouts"]
    assert state["state"] == "Complete"
    assert not set(before) & set(scene.pods(SERVICE)), "a former pod still runs"
    (change,) = answered(scene, "rollout undo", "--yes")["undone"]
    assert change["before"] == change["after"]
    (state,) = answered(scene, "rollout status")["rollouts"]
    assert state["state"] == "Complete"
    assert standing(scene)["drifts"] == [], "what a restart writes is no matter of the chart"


def test_second_deployer_is_refused_and_stop_waits_for_a_bare_migration(
    two: two_deployers.Deployers,
) -> None:
    revisions = records(two.scene)
    two_deployers.refuse_and_stop(two)
    assert records(two.scene) == revisions, "Helm was not asked"


def test_interrupted_deployer_detaches_and_attach_goes_on(two: two_deployers.Deployers) -> None:
    two_deployers.interrupt_and_attach(two, signal.SIGTERM, 143)


def test_one_deployer_waits_for_the_other_and_one_follows_it(two: two_deployers.Deployers) -> None:
    two_deployers.wait_and_follow(two)


def test_deployer_that_is_to_stop_when_interrupted_ends_its_migration(
    two: two_deployers.Deployers,
) -> None:
    two_deployers.stop_when_interrupted(two)


def test_who_is_killed_in_a_migration_goes_on_with_its_job(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    expected = two.slow()
    with two.locked(), two.deploying() as (killed, _):
        job = migration(scene)["metadata"]["uid"]
        killed.kill()
        killed.wait()
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    assert migration(scene)["metadata"]["uid"] == job
    assert two.versions == expected
    assert applied(ended.only)[DATABASE][0] == expected[-1]
    assert list(records(scene).values()).count("deployed") == 1


def test_a_failing_migration_ends_it_before_helm_is_asked(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    before, revisions, versions = scene.pods(SERVICE), records(scene), two.versions
    file = add_devices(scene, two, table="nowhere")
    scene.once(SERVICE)
    scene.build(SERVICE)
    scene.publish("Add devices")
    failed = scene.deploy(SERVICE)
    assert failed.code == 1, failed.err
    assert failed.only["outcome"] == "failed"
    assert scenes.MIGRATION_FAILED & failed.causes, failed.err
    assert file in failed.err
    assert records(scene) == revisions
    assert scene.pods(SERVICE).keys() == before.keys()
    assert two.versions == versions


def test_a_crash_after_a_mended_migration_is_named_before_the_deadline(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    expected = [*two.versions, two.versions[-1] + 1]
    add_devices(scene, two, table="accounts")
    scene.build(SERVICE)
    scene.set_environment(SERVICE, REQUIRED_TABLES="elsewhere.nothing")
    scene.publish("Crash")
    crashed = scene.deploy(SERVICE)
    assert crashed.code == 1, crashed.err
    assert two.versions == expected
    assert "diagnosis.crashing" in crashed.causes, (crashed.causes, crashed.err)


def test_a_rollback_takes_the_database_back_and_then_the_release(
    scene: scenes.Scene, two: two_deployers.Deployers
) -> None:
    """What has crashed is gone back from: its migration is applied, and its release is Helm's newest."""
    crashed, versions = demo_repository.git(scene.clone, "rev-parse", "HEAD"), two.versions
    plan = answered(scene, "rollback", "--dry-run")
    assert (plan["present"], plan["route"]) == (crashed, "deploy")
    (database,) = plan["databases"]
    (migration_file,) = database["takes_back"]
    assert (database["name"], migration_file["version"]) == (DATABASE, versions[-1])

    words = ("--yes", "--accept-data-loss", "--why", "Logins fail")
    killed = crashing.killed(scene, SERVICE, *words, command="rollback", after="TakenBack:1")
    assert killed == -signal.SIGKILL
    assert two.versions == versions[:-1]
    assert standing(scene)["deployed"] == crashed, "the release goes back after the database"

    document = answered(scene, "rollback", *words)
    deployment = document["deployment"]
    assert (deployment["outcome"], deployment["revision"]) == ("succeeded", plan["revision"])
    assert document["held"]
    (migrated,) = deployment["migrations"]
    assert (migrated["version"], migrated["proven"]) == (versions[-2], True)
    assert two.versions == versions[:-1]
    assert list(records(scene).values()).count("deployed") == 1
    entry = standing(scene)
    assert (entry["state"], entry["deployed"]) == ("behind", plan["revision"])
    assert entry["drifts"] == []
    assert json.loads(endpoints.answer(scene, SERVICE, "/readyz")) == {"ready": True}

    again = scene.deploy(SERVICE)
    assert again.code == 5, again.err
    assert json.loads(again.out)["error"]["text"]["id"] == "hold.refused-revision"


def test_a_release_that_somebody_has_uninstalled_is_named_wherever_one_looks(
    scene: scenes.Scene, admin: dict[str, str]
) -> None:
    deployed = standing(scene)["deployed"]
    namespace = scene.namespace(SERVICE)
    helm = scene.shop.sandbox.site.folder.root / "bin" / "helm"
    words = ["uninstall", RELEASE, "--namespace", namespace]
    variables = scenes.clean_environment() | admin
    subprocess.run([helm, *words], env=variables, check=True, capture_output=True)
    entry = standing(scene)
    assert (entry["state"], entry["deployed"]) == ("drifted", deployed)
    (drift,) = entry["drifts"]
    assert drift["object"] == {"kind": "Release", "namespace": namespace, "name": RELEASE}
    (preview,) = answered(scene, "plan")["plans"]
    assert "drift.release-gone" in {note["id"] for note in preview["notes"]}
    (diagnosis,) = answered(scene, "doctor")["diagnoses"]
    assert (diagnosis["cause"]["id"], diagnosis["subject"]["name"]) == ("diagnosis.gone", RELEASE)


def add_devices(scene: scenes.Scene, two: two_deployers.Deployers, *, table: str) -> str:
    """Write the next migration; its file's name."""
    file = f"{two.versions[-1] + 1:05}_add_devices.sql"
    up, down = (f"ALTER TABLE {table} {change} device" for change in ("ADD", "DROP"))
    text = f"-- +goose Up\n{up} text;\n-- +goose Down\n{down};\n"
    (scene.migrations(SERVICE) / file).write_text(text)
    return file
