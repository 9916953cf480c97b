"""dev, where Argo CD starts syncs itself: hanbae follows, and starts one only where Argo CD does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import polling, scenes

from hanbae.charts import values
from hanbae.policy import loading, naming
from hanbae.sandbox import demo_repository


@pytest.fixture
def dev(scene: Callable[[str], scenes.Scene]) -> scenes.Scene:
    return scene("dev")


def uid(manifest: dict[str, Any]) -> str:
    text: str = manifest["metadata"]["uid"]
    return text


LANGUAGE = """\
-- +goose Up
ALTER TABLE profiles ADD COLUMN language text;
-- +goose Down
ALTER TABLE profiles DROP COLUMN language;
"""


def test_deleted_sealed_secret_is_restored_without_a_migration(dev: scenes.Scene) -> None:
    # A branch that has moved on since the last sync is more than a deleted object to Argo CD: then it syncs wholly.
    deployed = dev.deploy("auth")
    assert deployed.code == 0, deployed.err
    namespace = dev.namespace("auth")
    label = "app.kubernetes.io/instance=auth-service,app.kubernetes.io/component=migration"

    def runs() -> set[str]:
        """Jobs and pods of migrations; their time to live may end in between, new ones may not come."""
        kinds = ("job", "pod")
        listed = (dev.select(kind, namespace=namespace, labels=label) for kind in kinds)
        return {uid(resource) for resources in listed for resource in resources}

    ran, pods = runs(), dev.pods("auth")
    before = dev.operation("auth")["status"]["operationState"]["startedAt"]
    sealed = dev.get("sealedsecret", "auth-secrets", namespace=namespace)
    secret = dev.get("secret", "auth-secrets", namespace=namespace)
    dev.shop.sandbox.kubectl(["delete", "sealedsecret", "auth-secrets", "-n", namespace])

    def restored() -> bool:
        uids = {
            kind: uid(resource)
            for kind in ("SealedSecret", "Secret")
            for resource in dev.select(kind.lower(), namespace=namespace)
            if resource["metadata"]["name"] == "auth-secrets"
        }
        return (
            uids.keys() == {"SealedSecret", "Secret"}
            and uids["SealedSecret"] != uid(sealed)
            and uids["Secret"] != uid(secret)
        )

    def settled() -> bool:
        status = dev.operation("auth")["status"]
        return (
            status["operationState"]["startedAt"] != before
            and status["operationState"]["phase"] == "Succeeded"
            and status["sync"]["status"] == "Synced"
            and status["health"]["status"] == "Healthy"
        )

    polling.until(restored, pause=0.5)
    polling.until(settled, pause=0.5)
    again = dev.get("secret", "auth-secrets", namespace=namespace)
    assert again["data"] == secret["data"]
    assert runs() <= ran
    healed = dev.operation("auth")["status"]["operationState"]["syncResult"]["resources"]
    kinds = {resource["kind"] for resource in healed}
    assert "SealedSecret" in kinds
    assert "Job" not in kinds
    assert dev.versions("auth", "auth_db") == [1, 2, 3]
    assert dev.pods("auth").keys() == pods.keys()


def test_push_is_deployed_by_argo_cd_itself_and_proven(dev: scenes.Scene) -> None:
    (dev.migrations("personal") / "00004_add_language.sql").write_text(LANGUAGE)
    dev.build("personal")
    revision = dev.publish("Keep the language")
    ended = dev.deploy("personal")
    assert ended.code == 0, ended.err
    assert (ended.only["trigger"], ended.only["revision"]) == ("automated", revision)
    assert "ServerSideApply=true" in ended.only["options"]
    (migration,) = ended.only["migrations"]
    assert (migration["version"], migration["applied"]) == (4, [4])
    assert dev.versions("personal", "personal_db") == [1, 2, 3, 4]


def test_a_rollback_takes_the_database_back_and_writes_the_commit_that_reverts_git(
    dev: scenes.Scene,
) -> None:
    head = demo_repository.git(dev.clone, "rev-parse", "HEAD")
    for name, value in (("user.name", "Kim"), ("user.email", "kim@example.com")):
        demo_repository.git(dev.clone, "config", name, value)
    options = ("--env", dev.environment, "--yes", "--accept-data-loss", "--output", "json")
    ended = scenes.hanbae("rollback", "personal", *options, directory=dev.clone, **dev.deployer())
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert (document["route"], document["present"], document["held"]) == ("revert", head, True)
    assert dev.versions("personal", "personal_db") == [1, 2, 3]
    branch = document["branch"]
    assert f"git push origin {branch}" in ended.err
    changed = demo_repository.git(dev.clone, "diff", "--name-only", head, branch).split()
    assert changed == document["files"]
    assert all(path.startswith("services/personal/") for path in changed)

    # What a merge request would do.
    demo_repository.git(dev.clone, "merge", "--quiet", "--ff-only", branch)
    dev.shop.repository.push(dev.branch)
    merged = dev.deploy("personal")
    assert merged.code == 0, merged.err
    assert (merged.only["trigger"], merged.only["revision"]) == ("automated", document["commit"])
    assert dev.versions("personal", "personal_db") == [1, 2, 3]


def test_change_of_nothing_but_a_hook_is_synced_by_hanbae(dev: scenes.Scene) -> None:
    """Argo CD does not compare hooks: to it, there is nothing to do."""
    template = (
        dev.clone / naming.chart(dev.shop.policy, "auth") / "templates" / "migration-job.yaml"
    )
    text = template.read_text()
    assert "activeDeadlineSeconds: 600\n" in text
    template.write_text(
        text.replace("activeDeadlineSeconds: 600\n", "activeDeadlineSeconds: 500\n")
    )
    revision = dev.publish("A shorter deadline")
    ended = dev.deploy("auth")
    assert ended.code == 0, ended.err
    assert (ended.only["trigger"], ended.only["revision"]) == ("manual", revision)
    job = dev.get("job", "auth-service-migrate", namespace=dev.namespace("auth"))
    assert job["spec"]["activeDeadlineSeconds"] == 500


def test_revision_that_failed_in_dev_can_be_mended(dev: scenes.Scene) -> None:
    folder = dev.migrations("identity") / "legal_db"
    scenes.write_migrations(folder, {"00004_more.sql": ["ALTER TABLE nowhere ADD COLUMN a text;"]})
    dev.once("identity")
    dev.build("identity")
    dev.publish("A broken migration")
    failed = dev.deploy("identity")
    assert failed.code == 1
    assert failed.only["trigger"] == "automated"
    assert scenes.MIGRATION_FAILED & failed.causes, failed.err
    again = dev.deploy("identity")
    assert again.code == 1, "the same revision is tried again, and fails again"

    scenes.write_migrations(folder, {"00004_more.sql": ["ALTER TABLE consents ADD COLUMN a text;"]})
    dev.build("identity")
    dev.publish("Mended")
    mended = dev.deploy("identity")
    assert mended.code == 0, mended.err
    assert mended.only["migrations"][-1]["applied"] == [4]


def test_a_sync_of_argo_cds_own_fails_where_the_policy_wants_a_person_to_begin_it(
    dev: scenes.Scene,
) -> None:
    """Nobody has generated the Applications again since the policy says so."""
    dev.edit("auth", {"resources.requests.cpu": "40m"})
    dev.publish("Ask for less of the processor")
    with values.editing(dev.clone / loading.NAME, loading.NAME) as policy:
        policy.update({("environments", dev.environment, "database_changes"): "manual"})
    failed = dev.deploy("auth")
    assert failed.code == 1, failed.err
    assert failed.only["why"]["id"] == "gate.sync-automated"
    assert failed.only["command"] == ["hanbae", "generate", "argocd", "--env", dev.environment]
    (during,) = [phase for phase in failed.only["checklist"] if phase["phase"] == "during"]
    outcomes = {decision["item"]: decision["outcome"] for decision in during["decisions"]}
    assert outcomes["manual-sync"] == "failed"
