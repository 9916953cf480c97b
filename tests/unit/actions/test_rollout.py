"""What an undo knows of the databases: the schema of then against the schema of now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import objects, quiet_clusters

from hanbae import errors
from hanbae.actions import rollout
from hanbae.clusters import kinds
from hanbae.results import deployments

OLD, NEW = "shop/auth@sha256:1", "shop/auth@sha256:2"


def deployed(
    image: str, version: int | None, outcome: deployments.Outcome = "succeeded"
) -> deployments.Deployment:
    migration = deployments.Migration("auth_db", 3, version)
    return deployments.Deployment(
        "d", "auth", "staging", "c" * 40, outcome, migrations=(migration,), images=(image,)
    )


SAME = (deployed(NEW, 3), deployed(OLD, 3))
MIGRATED = (deployed(NEW, 4), deployed(OLD, 3))


def test_nothing_differs_where_nothing_was_migrated_since() -> None:
    assert rollout.schemas(SAME, {OLD}) == ()


def test_a_migration_since_is_named() -> None:
    assert rollout.schemas(MIGRATED, {OLD}) == (rollout.Schema("auth_db", 3, 4),)


def test_a_migration_of_a_deployment_that_failed_counts() -> None:
    listed = (deployed(NEW, 4, "failed"), deployed(OLD, 3))
    assert rollout.schemas(listed, {OLD}) == (rollout.Schema("auth_db", 3, 4),)


@pytest.mark.parametrize(
    "listed",
    [
        (deployed(NEW, 4),),
        (deployed(NEW, 4), deployed(OLD, 4, "failed")),
    ],
    ids=["never deployed", "never succeeded"],
)
def test_images_of_which_nothing_is_known_are_not_taken_for_safe(
    listed: tuple[deployments.Deployment, ...],
) -> None:
    assert rollout.schemas(listed, {OLD}) == (rollout.Schema("auth_db", None, 4),)


def test_a_deployment_that_ran_only_one_of_the_images_tells_nothing() -> None:
    sidecar = "proxy:1"
    listed = (deployed(NEW, 4), deployed(sidecar, 4), deployed(OLD, 3))
    assert rollout.schemas(listed, {OLD, sidecar}) == (rollout.Schema("auth_db", None, 4),)


def test_a_service_without_databases_may_go_back() -> None:
    assert rollout.schemas((), {OLD}) == ()


def test_template_that_was_given_up_is_no_cause_of_what_is_awaited() -> None:
    def numbered(kind: str, name: str, number: str) -> dict[str, Any]:
        annotations = {"deployment.kubernetes.io/revision": number}
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "auth", "controller": True}
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {
                "namespace": "a",
                "name": name,
                "annotations": annotations,
                "ownerReferences": [owner] if kind == "ReplicaSet" else [],
            },
        }

    deployment = numbered("Deployment", "auth", "2")
    own = {kinds.ref(deployment): deployment}
    newest = [
        name
        for name, number in (("auth-1", "1"), ("auth-2", "2"))
        if rollout._is_wanted(numbered("ReplicaSet", name, number), own)
    ]
    assert newest == ["auth-2"]
    assert not rollout._is_wanted(deployment, own)


def deployment() -> kinds.Object:
    status = {
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "availableReplicas": 1,
    }
    spec = {"replicas": 1, "template": {"spec": {"containers": [{"name": "app", "image": NEW}]}}}
    return objects.live(
        kinds.DEPLOYMENT, "auth", metadata={"generation": 1}, spec=spec, status=status
    )


def pods(cluster: Any, workload: kinds.Object) -> rollout.Pods:
    space: Any = None  # nothing is asked of it
    clusters: Any = SimpleNamespace(workload=cluster)
    return rollout.Pods(space, clusters, "auth", "staging", [workload])


async def test_a_workload_that_goes_before_it_is_watched_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    followed = pods(quiet_clusters.quiet(monkeypatch), deployment())
    with pytest.raises(errors.Failed, match=r"rollout\.gone"):
        _ = [state async for state in followed.follow(within=2)]


async def test_a_workload_that_has_not_changed_since_it_was_read_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workload = deployment()
    followed = pods(quiet_clusters.quiet(monkeypatch, workload), workload)
    states = [progress.state async for progress in followed.follow(within=2)]
    assert states == ["Complete"]
