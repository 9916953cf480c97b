"""A service that was never there before: the order of things, and that the record tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support import demos, scenes

SERVICE, JOB = "ledger", "ledger-service-migrate"


@pytest.fixture(scope="module")
def staging(demo: demos.Demo) -> scenes.Scene:
    """An environment in which nothing is deployed yet."""
    return scenes.own(demo.sandbox, "first", services=())


def test_first_install_is_recorded_from_the_plan_to_the_proof(staging: scenes.Scene) -> None:
    staging.create("ledger", like="personal")
    staging.seal("ledger")
    revision = staging.publish("A new service")
    ended = staging.deploy("ledger", output="jsonl")
    assert ended.code == 0, ended.err
    recorded = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["seq"] for event in recorded] == list(range(1, len(recorded) + 1))
    facts = [event["fact"] for event in recorded]
    kinds = [fact["type"] for fact in facts]
    assert kinds[0] == "Opened"
    assert kinds[-1] == "Closed"
    assert kinds.count("Closed") == 1
    assert facts[-1]["outcome"] == "succeeded"
    assert kinds.index("Intended") < kinds.index("Began") < kinds.index("Logged")
    assert kinds.index("Logged") < kinds.index("Proved")
    (began,) = [fact for fact in facts if fact["type"] == "Began"]
    assert (began["automated"], began["revision"]) == (False, revision)
    assert "ServerSideApply=true" in began["options"], "an operation that is written inherits none"
    goose = [fact["line"] for fact in facts if fact["type"] == "Logged"]
    assert any("OK   00003_index_profiles_by_change.sql" in line for line in goose)
    (proved,) = [fact for fact in facts if fact["type"] == "Proved"]
    assert (proved["database"], proved["files"], proved["version"]) == ("ledger_db", 3, 3)
    assert proved["applied"] == [1, 2, 3]
    assert staging.versions("ledger", "ledger_db") == [1, 2, 3]

    job = live_job(staging)
    again = staging.deploy("ledger")
    assert again.code == 0, again.err
    assert live_job(staging)["metadata"]["uid"] != job["metadata"]["uid"], "it is made anew"
    (migration,) = again.only["migrations"]
    assert (migration["version"], migration["applied"]) == (3, [])
    assert again.only["manifests"] == facts[0]["plan"]["manifests"] != ""
    assert again.only["options"] == began["options"]


def test_migration_job_in_the_cluster_is_the_policys(staging: scenes.Scene) -> None:
    """Line by line what the policy document's manifest says, of the Job that Argo CD has run."""
    job = live_job(staging)
    annotations = job["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert annotations["argocd.argoproj.io/sync-wave"] == "-5"
    assert job["spec"]["ttlSecondsAfterFinished"] == 300
    assert job["spec"]["backoffLimit"] == 3
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["name"] == "migrate"
    images = [
        served["image"]
        for other in staging.pods(SERVICE).values()
        for served in other["spec"]["containers"]
    ]
    assert {container["image"]} == set(images)
    words = [*container["command"], *container["args"]]
    assert (words[0], words[-1]) == ("goose", "up")
    assert words[words.index("-dir") + 1] == f"/app/services/{SERVICE}/migrations"
    variables = {entry["name"]: entry for entry in container["env"]}
    address = variables["GOOSE_DBSTRING"]["valueFrom"]["secretKeyRef"]
    assert (address["name"], address["key"]) == (f"{SERVICE}-secrets", "DATABASE_URL")


def live_job(scene: scenes.Scene) -> dict[str, Any]:
    """The migration Job as the last deployment has left it."""
    return scene.get("job", JOB, namespace=scene.namespace(SERVICE))


def test_unknown_service_is_wrong_use_and_changes_nothing(staging: scenes.Scene) -> None:
    ended = staging.deploy("leger")
    assert ended.code == 2
    assert "leger" in ended.err
