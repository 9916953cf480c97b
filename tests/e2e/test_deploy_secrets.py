"""Secrets that are missing, unreadable, deleted or new."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import demos, polling, scenes


@pytest.fixture(scope="module")
def staging(demo: demos.Demo) -> scenes.Scene:
    """An environment in which nothing is deployed yet."""
    return scenes.own(demo.sandbox, "secrets", services=("personal",))


def uid(manifest: dict[str, Any]) -> str:
    text: str = manifest["metadata"]["uid"]
    return text


def blocked(scene: scenes.Scene, service: str) -> bool:
    """Whether an operation is left that would block the next deployment."""
    application = scene.operation(service)
    phase = application["status"].get("operationState", {}).get("phase")
    return "operation" in application or phase in {"Running", "Terminating"}


def test_missing_secret_then_a_missing_key_are_named_and_mended(staging: scenes.Scene) -> None:
    staging.create("bare", like="personal")
    staging.publish("A service without secrets")
    refused = staging.deploy("bare")
    assert refused.code == 5, refused.err
    seals = f"hanbae secrets seal bare DATABASE_URL --env {staging.environment}"
    assert seals in refused.err
    failed = staging.deploy("bare", "--no-preflight")
    assert failed.code == 1
    assert "diagnosis.secret-missing" in failed.causes
    assert "bare-secrets" in failed.err
    why = failed.only["why"]["id"]
    assert why == "diagnosis.secret-missing", "it waits for what cannot come"
    assert not blocked(staging, "bare")

    token = {"JWT_SECRET": staging.shop.token_key(staging.environment)}
    staging.seal_only("bare", token)
    staging.publish("One of its secrets")
    refused = staging.deploy("bare")
    assert refused.code == 5, refused.err
    assert seals in refused.err
    failed = staging.deploy("bare", "--no-preflight")
    assert failed.code == 1
    assert "diagnosis.secret-key-missing" in failed.causes
    assert "DATABASE_URL" in failed.err
    assert not blocked(staging, "bare")

    staging.seal("bare")
    staging.publish("All of its secrets")
    mended = staging.deploy("bare")
    assert mended.code == 0, mended.err
    assert staging.versions("bare", "bare_db") == [1, 2, 3]


def test_secret_sealed_for_another_service_is_named(staging: scenes.Scene) -> None:
    staging.create("locked", like="personal")
    staging.seal("locked")
    theirs = staging.values_of("personal").get("sealedSecret.encryptedData.DATABASE_URL")
    staging.edit("locked", {"sealedSecret.encryptedData.DATABASE_URL": theirs})
    staging.publish("A service with another one's secret")
    failed = staging.deploy("locked")
    assert failed.code == 1
    assert "diagnosis.undecryptable" in failed.causes
    assert "locked-secrets" in failed.err
    assert not blocked(staging, "locked")

    staging.seal("locked")
    staging.publish("Its own secret")
    mended = staging.deploy("locked")
    assert mended.code == 0, mended.err


def test_deleted_sealed_secret_is_restored_without_a_migration(
    scene: Callable[[str], scenes.Scene],
) -> None:
    dev = scene("dev")
    # A branch that has moved on since the last sync is more than a deleted object to Argo CD: then it syncs wholly.
    deployed = dev.deploy("auth")
    assert deployed.code == 0, deployed.err
    namespace = dev.namespace("auth")
    label = "app.kubernetes.io/instance=auth-service,app.kubernetes.io/component=migration"
    listed = ["get", "jobs,pods", "-n", namespace, "-l", label, "-o", "json"]

    def runs() -> set[str]:
        """Jobs and pods of migrations; their time to live may end in between, new ones may not come."""
        return {uid(resource) for resource in json.loads(dev.shop.sandbox.kubectl(listed))["items"]}

    ran, pods = runs(), dev.pods("auth")
    before = dev.operation("auth")["status"]["operationState"]["startedAt"]
    sealed = dev.get("sealedsecret", "auth-secrets", namespace=namespace)
    secret = dev.get("secret", "auth-secrets", namespace=namespace)
    dev.shop.sandbox.kubectl(["delete", "sealedsecret", "auth-secrets", "-n", namespace])

    def restored() -> bool:
        shown = ["get", "sealedsecret,secret", "-n", namespace, "-o", "json"]
        items = json.loads(dev.shop.sandbox.kubectl(shown))["items"]
        uids = {
            resource["kind"]: uid(resource)
            for resource in items
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

    polling.until(restored, within=90, pause=0.5)
    polling.until(settled, within=90, pause=0.5)
    again = dev.get("secret", "auth-secrets", namespace=namespace)
    assert again["data"] == secret["data"]
    assert runs() <= ran
    healed = dev.operation("auth")["status"]["operationState"]["syncResult"]["resources"]
    kinds = {resource["kind"] for resource in healed}
    assert "SealedSecret" in kinds
    assert "Job" not in kinds
    assert dev.versions("auth", "auth_db") == [1, 2, 3]
    assert dev.pods("auth").keys() == pods.keys()


def test_secret_rotated_together_with_a_migration(production: scenes.Scene) -> None:
    namespace, before = production.namespace("personal"), production.pods("personal")
    old = production.get("secret", "personal-secrets", namespace=namespace)["data"]
    # The database takes only the new password from now on: with the old secret the migration would fail.
    production.seal("personal")
    scenes.write_migrations(
        production.migrations("personal"),
        {"00004_add_language.sql": ["ALTER TABLE profiles ADD COLUMN language text;"]},
    )
    production.build("personal")
    production.publish("A new password and a new column")
    ended = production.deploy("personal")
    assert ended.code == 0, ended.err
    (migration,) = ended.only["migrations"]
    assert (migration["version"], migration["applied"]) == (4, [4])
    new = production.get("secret", "personal-secrets", namespace=namespace)["data"]
    assert new["DATABASE_URL"] != old["DATABASE_URL"]
    assert not before.keys() & production.pods("personal").keys()
    assert json.loads(production.answers("personal", "/readyz")) == {"ready": True}


def test_password_in_a_failing_migrations_log_is_masked(production: scenes.Scene) -> None:
    """goose prints the statement that failed; one that holds the password must not show it."""
    production.create("leaky", like="personal")
    urls = production.shop.make_databases("leaky", production.environment)
    token = production.shop.token_key(production.environment)
    production.seal_only("leaky", {**urls, "JWT_SECRET": token})
    password = urls["DATABASE_URL"].unmask().split(b":")[2].split(b"@")[0].decode()
    statements = (
        "-- +goose StatementBegin",
        f"DO $$ BEGIN RAISE 'nowhere: {password} {token.unmask().decode()}'; END $$;",
        "-- +goose StatementEnd",
    )
    scenes.write_migrations(production.migrations("leaky"), {"00004_leak.sql": statements})
    production.once("leaky")
    production.build("leaky", acts_as="personal")
    production.publish("A migration that talks")
    failed = production.deploy("leaky")
    assert failed.code == 1
    assert "nowhere" in failed.err
    history = b"".join(scenes.histories(production.shop.sandbox).values())
    for secret in (password, token.unmask().decode()):
        assert secret not in failed.out + failed.err
        assert secret.encode() not in history


def test_password_that_an_application_and_an_annotation_tell_is_masked(
    production: scenes.Scene,
) -> None:
    """What a crashing application said last is shown as the cause's evidence; its password is not."""
    production.create("chatty", like="personal")
    urls = production.shop.make_databases("chatty", production.environment)
    token = production.shop.token_key(production.environment)
    production.seal_only("chatty", {**urls, "JWT_SECRET": token})
    password = urls["DATABASE_URL"].unmask().split(b":")[2].split(b"@")[0].decode()
    production.set_environment("chatty", REQUIRED_TABLES=f"elsewhere.{password}")
    production.publish("An application that talks")
    failed = production.deploy("chatty", "--timeout", "60")
    note = {"metadata": {"annotations": {"note": password}}}
    words = ["patch", "deployment", "chatty-service", "-n", production.namespace("chatty")]
    production.shop.sandbox.kubectl(
        [*words, "--patch-file", "/dev/stdin"], stdin=json.dumps(note).encode()
    )
    again = production.deploy("chatty", "--timeout", "30", output="jsonl")
    assert failed.code == again.code == 1
    assert "diagnosis.crashing" in failed.causes
    assert "is not database.table of this service" in failed.err, "the application's own words"
    history = scenes.histories(production.shop.sandbox)
    for output in (failed.out, failed.err, again.out, again.err):
        assert password not in output
    for path, content in history.items():
        assert password.encode() not in content
        assert path.stat().st_mode & 0o777 == 0o600, path.name
