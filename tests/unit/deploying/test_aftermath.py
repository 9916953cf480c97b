"""Where databases stand after a deployment that did not get to its proofs, by the logs of its migrations."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import subjects
from hanbae.deploying import aftermath
from hanbae.results import deployments, events, plans

JOB = subjects.Ref("Job", "services-dev", "auth-service-migrate")
PATHS = tuple(f"services/auth/migrations/0000{n}_x.sql" for n in (1, 2, 3, 4))
PROOF = plans.Prove("auth_db", (1, 2, 3, 4), JOB, {}, files=PATHS)
PLAN = plans.Plan(1, "auth", "dev", (plans.Step("prove-auth_db", PROOF),))


def standing(
    *,
    applied: tuple[int, ...] = (),
    before: dict[str, int] | None = None,
    reached: int | None = None,
    failed: str = "",
) -> events.Migrated:
    followed: Any = SimpleNamespace(
        reached={} if reached is None else {JOB: reached}, failed=lambda _: failed
    )
    (migrated,) = aftermath.databases(
        PLAN,
        followed,
        applied={"auth_db": applied},
        stood_before=before or {},
        proven=(),
    )
    return migrated


def test_a_migration_that_stopped_half_way_is_told_with_files_and_where_it_stopped() -> None:
    migrated = standing(applied=(2,), before={"auth_db": 1}, failed="00003_x.sql")
    assert migrated == events.Migrated(
        "auth_db", 4, 2, 2, (2,), ("00002_x.sql",), failed="00003_x.sql"
    )


@pytest.mark.parametrize(
    ("before", "reached", "version", "count"),
    [
        (None, None, None, 0),
        ({"auth_db": 3}, None, 3, 3),
        (None, 4, 4, 4),
        ({"auth_db": 3}, 4, 4, 4),
    ],
    ids=["nobody knows", "proven before", "goose says so", "goose knows better"],
)
def test_a_database_to_which_nothing_was_applied_stands_where_it_was(
    before: dict[str, int] | None, reached: int | None, version: int | None, count: int
) -> None:
    migrated = standing(before=before, reached=reached)
    assert (migrated.version, migrated.reached, migrated.names) == (version, count, ())


def test_a_database_that_was_proven_is_not_told_again() -> None:
    followed: Any = SimpleNamespace(reached={}, failed=lambda _: "")
    migrated = aftermath.databases(PLAN, followed, applied={}, stood_before={}, proven=("auth_db",))
    assert list(migrated) == []


WORKLOAD = subjects.Ref("Deployment", "services-dev", "auth-service")
OLD, NEW = "registry.example.com/auth:1", "registry.example.com/auth:2"


def pod(image: str, template: str, *, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": "x", "labels": {"pod-template-hash": template}},
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


@pytest.mark.parametrize(
    ("pods", "planned", "newest", "text_id", "ready", "images"),
    [
        # The migration failed, so the workload was never changed: its newest template is the former one.
        ([pod(OLD, "a"), pod(OLD, "a")], NEW, "a", "deploy.former-serve", "2", OLD),
        # The new pods crash beside the former ones.
        ([pod(OLD, "a"), pod(NEW, "b", ready=False)], NEW, "b", "deploy.former-serve", "1", OLD),
        ([pod(NEW, "a"), pod(NEW, "b", ready=False)], NEW, "b", "deploy.former-serve", "1", NEW),
        # The same image as before: whose pods these are cannot be told by them.
        ([pod(NEW, "a")], NEW, "a", "deploy.pods-serve", "1", NEW),
        ([pod(NEW, "b", ready=False)], NEW, "b", "deploy.none-serve", "0", None),
        ([], NEW, "b", "deploy.none-serve", "0", None),
    ],
)
def test_pods_of_before_are_never_called_the_deployments_own(
    pods: list[dict[str, Any]],
    planned: str,
    newest: str,
    text_id: str,
    ready: str,
    images: str | None,
) -> None:
    text = aftermath.standing(WORKLOAD, pods, planned={"app": planned}, newest=newest)
    assert (text.id, text.facts["ready"], text.facts.get("images")) == (text_id, ready, images)


def deployed(id_: str, *migrations: deployments.Migration) -> deployments.Deployment:
    return deployments.Deployment(id_, "auth", "dev", "1" * 40, "failed", migrations=migrations)


def test_a_database_stands_where_the_last_deployment_left_it_although_that_failed() -> None:
    """A second attempt of a wrong migration applies nothing, and its log does not say where the database is."""
    proven = deployments.Migration("auth_db", files=5, version=5, proven=True)
    failed = deployments.Migration("auth_db", files=7, version=6, proven=False)
    unread = deployments.Migration("legal_db", files=1, version=None, proven=False)
    listed = [
        deployed("now", failed),
        deployed("second", failed, unread),
        deployed("first", proven),
    ]
    assert aftermath.stood(listed, besides="now") == {"auth_db": 6}
