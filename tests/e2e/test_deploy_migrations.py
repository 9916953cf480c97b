"""Migrations on services that are installed: what a new one does, what a broken one does not do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import scenes

from hanbae import errors


@contextmanager
def serving(scene: scenes.Scene, service: str) -> Iterator[list[str]]:
    """Ask the service for its readiness all the time; collects the answers that are not yes.

    One of them is none to a user where the next is: a pod goes on serving until its probe has failed three times.
    """
    outages: list[str] = []
    over, answered = threading.Event(), threading.Event()

    def trouble() -> str:
        try:
            scene.answers(service, "/readyz")
        except errors.Failed as error:
            return str(error)
        return ""

    def ask() -> None:
        while not over.is_set():
            if trouble() and (error := trouble()):
                outages.append(error)
            answered.set()
            over.wait(0.5)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield outages
        assert answered.is_set()
    finally:
        over.set()
        asking.join()


def applied(deployment: dict[str, object]) -> dict[str, tuple[int, list[int]]]:
    """Database → version and what was applied now."""
    migrations = deployment["migrations"]
    assert isinstance(migrations, list)
    return {m["database"]: (m["version"], m["applied"]) for m in migrations}


def add(folder: Path, name: str, statement: str) -> None:
    scenes.write_migrations(folder, {name: [statement]})


def test_upgrade_applies_the_new_migration_before_the_new_pods(staging: scenes.Scene) -> None:
    before = staging.pods("personal")
    add(
        staging.migrations("personal"),
        "00004_create_addresses.sql",
        "CREATE TABLE addresses (profile_id bigint PRIMARY KEY REFERENCES profiles);",
    )
    staging.build("personal")
    # The new pods ask for the table: without the migration they would never be ready.
    staging.set_environment("personal", REQUIRED_TABLES="personal_db.addresses")
    revision = staging.publish("Keep addresses")
    with serving(staging, "personal") as outages:
        ended = staging.deploy("personal")
    assert ended.code == 0, ended.err
    assert ended.only["revision"] == revision
    assert ended.only["trigger"] == "manual"
    assert applied(ended.only) == {"personal_db": (4, [4])}
    assert staging.versions("personal", "personal_db") == [1, 2, 3, 4]
    assert not outages
    assert not before.keys() & staging.pods("personal").keys()


def test_failing_migration_changes_nothing_and_a_fixed_one_succeeds(staging: scenes.Scene) -> None:
    before, folder = staging.pods("auth"), staging.migrations("auth")
    add(folder, "00004_add_devices.sql", "ALTER TABLE nowhere ADD COLUMN device text;")
    staging.build("auth")
    staging.publish("Add devices")
    with serving(staging, "auth") as outages:
        failed = staging.deploy("auth")
    assert failed.code == 1
    assert failed.only["outcome"] == "failed"
    assert scenes.MIGRATION_FAILED & failed.causes, failed.err
    assert 'relation "nowhere" does not exist' in failed.err
    assert "00004_add_devices.sql" in failed.err
    assert f"→ hanbae image set auth IMAGE:TAG --env {staging.environment}" in failed.err
    assert not outages
    assert staging.pods("auth").keys() == before.keys()
    assert staging.versions("auth", "auth_db") == [1, 2, 3]
    application = staging.operation("auth")
    assert "operation" not in application, "left over, it would block the next deployment"
    assert application["status"]["operationState"]["phase"] in {"Failed", "Error"}

    add(folder, "00004_add_devices.sql", "ALTER TABLE accounts ADD COLUMN device text;")
    staging.build("auth")
    staging.publish("Add devices to accounts")
    mended = staging.deploy("auth")
    assert mended.code == 0, mended.err
    assert applied(mended.only) == {"auth_db": (4, [4])}
    assert staging.versions("auth", "auth_db") == [1, 2, 3, 4]


def test_second_database_failing_leaves_the_third_untouched(staging: scenes.Scene) -> None:
    before, folder = staging.pods("identity"), staging.migrations("identity")
    add(folder / "identity_db", "00004_more.sql", "ALTER TABLE people ADD COLUMN born date;")
    add(folder / "auth_db", "00004_more.sql", "ALTER TABLE nowhere ADD COLUMN used timestamptz;")
    add(folder / "legal_db", "00004_more.sql", "ALTER TABLE consents ADD COLUMN origin text;")
    staging.once("identity")
    staging.build("identity")
    staging.publish("More columns")
    failed = staging.deploy("identity")
    assert failed.code == 1
    assert scenes.MIGRATION_FAILED & failed.causes, failed.err
    assert "identity-service-migrate-auth-db" in failed.err
    assert staging.versions("identity", "identity_db") == [1, 2, 3, 4]
    assert staging.versions("identity", "auth_db") == [1, 2, 3]
    assert staging.versions("identity", "legal_db") == [1, 2, 3]
    assert {
        entry["database"]: (entry["version"], entry["failed"])
        for entry in failed.only["migrations"]
    } == {
        "identity_db": (4, ""),
        "auth_db": (3, "00004_more.sql"),
        "legal_db": (3, ""),
    }
    assert f"→ hanbae image set identity IMAGE:TAG --env {staging.environment}" in failed.err
    assert staging.pods("identity").keys() == before.keys()

    add(
        folder / "auth_db", "00004_more.sql", "ALTER TABLE credentials ADD COLUMN used timestamptz;"
    )
    staging.build("identity")
    staging.publish("More columns, mended")
    mended = staging.deploy("identity")
    assert mended.code == 0, mended.err
    assert applied(mended.only) == {
        "identity_db": (4, []),
        "auth_db": (4, [4]),
        "legal_db": (4, [4]),
    }
    waves = {
        database: staging.get(
            "job",
            f"identity-service-migrate-{database.replace('_', '-')}",
            namespace=staging.namespace("identity"),
        )["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        for database in applied(mended.only)
    }
    assert waves == {"identity_db": "-5", "auth_db": "-4", "legal_db": "-3"}
