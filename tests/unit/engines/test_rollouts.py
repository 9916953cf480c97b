"""When a rollout is complete: the cases in which the counts alone would mislead."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import objects

from hanbae.clusters import kinds
from hanbae.engines import rollouts


def deployment(
    *, generation: int = 2, observed: int = 2, replicas: int = 2, **status: Any
) -> kinds.Object:
    return objects.live(
        kinds.DEPLOYMENT,
        "auth-service",
        metadata={
            "generation": generation,
            "annotations": {"deployment.kubernetes.io/revision": "7"},
        },
        spec={"replicas": replicas},
        status={"observedGeneration": observed, **status},
    )


FULL = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("workload", "state"),
    [
        pytest.param(deployment(**FULL), "Complete", id="all new and available"),
        pytest.param(deployment(observed=1, **FULL), "Progressing", id="counts of the spec before"),
        pytest.param(deployment(**FULL | {"replicas": 3}), "Progressing", id="an old pod is left"),
        pytest.param(
            deployment(**FULL | {"availableReplicas": 1}), "Progressing", id="not available"
        ),
        pytest.param(deployment(**FULL | {"updatedReplicas": 1}), "Progressing", id="one is old"),
        pytest.param(deployment(replicas=0), "Complete", id="scaled to none"),
        pytest.param(
            deployment(
                conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}], **FULL
            ),
            "Failed",
            id="deadline exceeded",
        ),
    ],
)
def test_progress(workload: kinds.Object, state: str) -> None:
    assert rollouts.progress(workload).state == state


def test_a_paused_rollout_is_not_complete() -> None:
    workload = deployment(**FULL)
    workload["spec"]["paused"] = True
    assert rollouts.progress(workload).state == "Paused"


def test_a_stateful_set_is_complete_when_its_newest_revision_is_the_current_one() -> None:
    workload = deployment(**FULL, currentRevision="db-1", updateRevision="db-2")
    assert rollouts.progress(workload).state == "Progressing"
    workload["status"]["currentRevision"] = "db-2"
    assert rollouts.progress(workload).complete


@pytest.mark.parametrize(
    ("strategy", "updated", "available", "state"),
    [
        ({"rollingUpdate": {"partition": 1}}, 1, 2, "Complete"),
        ({"rollingUpdate": {"partition": 1}}, 0, 2, "Progressing"),
        ({"rollingUpdate": {"partition": 1}}, 1, 1, "Progressing"),
        ({"rollingUpdate": {"partition": 7}}, 0, 2, "Complete"),
        ({"rollingUpdate": {"partition": 0}}, 1, 2, "Progressing"),
        ({"type": "OnDelete"}, 0, 2, "Complete"),
        ({"type": "OnDelete"}, 0, 1, "Progressing"),
    ],
)
def test_pods_that_an_object_holds_back_are_not_waited_for(
    strategy: dict[str, Any], updated: int, available: int, state: str
) -> None:
    """Argo CD calls such a rollout healthy, and nothing will change it before somebody does."""
    status = {"updatedReplicas": updated, "availableReplicas": available, "replicas": 2}
    workload = deployment(**status, currentRevision="db-1", updateRevision="db-2")
    workload["kind"] = "StatefulSet"
    workload["spec"]["updateStrategy"] = {"type": "RollingUpdate", **strategy}
    assert rollouts.progress(workload).state == state


def test_the_newest_replica_set_has_the_deployments_number() -> None:
    numbers = {"annotations": {"deployment.kubernetes.io/revision": "7"}}
    new = objects.live(kinds.REPLICASET, "auth-service-1", metadata=numbers)
    old = objects.live(
        kinds.REPLICASET,
        "auth-service-0",
        metadata={"annotations": {"deployment.kubernetes.io/revision": "6"}},
    )
    assert rollouts.newest(deployment(), new)
    assert not rollouts.newest(deployment(), old)
    assert not rollouts.newest(
        objects.live(kinds.DEPLOYMENT, "x"), objects.live(kinds.REPLICASET, "y")
    )


@pytest.mark.parametrize(
    ("transition", "started", "state"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z", "Progressing"),
        ("2026-11-23T12:00:00Z", "2026-11-23T11:00:00Z", "Failed"),
        ("2026-11-23T10:00:00Z", "", "Failed"),
    ],
    ids=["of an earlier attempt", "of this one", "nobody knows"],
)
def test_the_verdict_of_an_earlier_rollout_is_not_this_ones(
    transition: str, started: str, state: str
) -> None:
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "lastTransitionTime": transition,
    }
    workload = {
        "kind": "Deployment",
        "metadata": {"name": "auth-service", "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "replicas": 1, "conditions": [condition]},
    }
    assert rollouts.progress(rollouts.since(workload, started)).state == state


@pytest.mark.parametrize(
    ("updated", "available", "observed", "state"),
    [
        (2, 2, 5, "Complete"),
        (1, 2, 5, "Progressing"),
        (2, 1, 5, "Progressing"),
        (2, 2, 4, "Progressing"),
    ],
    ids=["done", "a node is left", "a pod is not ready", "not seen by the controller"],
)
def test_pods_of_a_daemonset_are_counted_by_nodes(
    updated: int, available: int, observed: int, state: str
) -> None:
    status = {
        "observedGeneration": observed,
        "desiredNumberScheduled": 2,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
    }
    daemonset = {"kind": "DaemonSet", "metadata": {"generation": 5}, "spec": {}, "status": status}
    assert rollouts.progress(daemonset).state == state


def test_a_daemonset_whose_pods_are_replaced_by_hand_is_complete_when_all_are_ready() -> None:
    status = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 0, "numberAvailable": 2}
    spec = {"updateStrategy": {"type": "OnDelete"}}
    daemonset = {"kind": "DaemonSet", "metadata": {}, "spec": spec, "status": status}
    assert rollouts.progress(daemonset).complete
