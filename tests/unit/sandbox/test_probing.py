"""When a workload of the sandbox counts as rolled out: its pods of this life say so, not what is left of the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanbae.sandbox import probing

BORN = 1_795_000_000.0  # 2026-11-18T11:06:40Z
BEFORE, AFTER = "2026-11-18T11:06:39Z", "2026-11-18T11:06:50Z"
WAITING = {"waiting": {"reason": "ContainerCreating"}}


class Answers(probing.Api):
    """An API server that knows one workload and its pods."""

    def __init__(self, *pods: dict[str, Any], **status: int) -> None:
        super().__init__("127.0.0.1", Path(), lambda: BORN)
        counts = {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1}
        workload = {
            "metadata": {"generation": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}},
            "status": counts | status,
        }
        object.__setattr__(self, "_workload", workload)
        object.__setattr__(self, "_pods", {"items": list(pods)})

    def get(self, path: str) -> tuple[int, Any]:
        return 200, self._pods if "/pods?" in path else self._workload  # type: ignore[attr-defined]


def pod(
    state: dict[str, Any], *, ready: bool = True, phase: str = "Running", **metadata: str
) -> dict[str, Any]:
    return {
        "metadata": {"name": "a-1", **metadata},
        "status": {"phase": phase, "containerStatuses": [{"state": state, "ready": ready}]},
    }


def since(stamp: str) -> dict[str, Any]:
    return {"running": {"startedAt": stamp}}


def rolled_out(api: probing.Api) -> str:
    return api.rolled_out("deployments", "data", "a")


def test_pod_that_runs_since_the_sandbox_does_is_ready() -> None:
    assert rolled_out(Answers(pod(since(AFTER)))) == ""


@pytest.mark.parametrize(
    ("left", "obstacle"),
    [
        (pod(since(BEFORE)), "has not been started again yet"),
        (pod({"terminated": {"exitCode": 137}}, ready=False), "has not been started again yet"),
        (pod({"terminated": {"exitCode": 137}}), "has not been started again yet"),
        (pod(since(AFTER), ready=False), "not ready yet"),
        (pod(WAITING, ready=False), "ContainerCreating"),
        (pod(since(AFTER), deletionTimestamp=AFTER), "0 of 1 pods are ready"),
        (pod(since(AFTER), phase="Failed"), "0 of 1 pods are ready"),
        ({"metadata": {"name": "a-1"}, "status": {"phase": "Pending"}}, "not been started yet"),
    ],
)
def test_count_of_the_workload_alone_is_not_believed(left: dict[str, Any], obstacle: str) -> None:
    """Its status still says that one is ready: the controller has not looked since the sandbox came back."""
    assert obstacle in rolled_out(Answers(left))


def test_api_server_that_has_no_time_for_the_pods_is_an_obstacle() -> None:
    """It says so in plain text: "Too many requests, please try again later."."""

    class Busy(Answers):
        def get(self, path: str) -> tuple[int, Any]:
            return (429, "Too many requests") if "/pods?" in path else super().get(path)

    assert rolled_out(Busy()) == "deployments/a: pods: 429"


def test_pod_of_the_last_version_is_waited_for() -> None:
    assert "0 of 1 are of the last version" in rolled_out(
        Answers(pod(since(AFTER)), updatedReplicas=0)
    )
    assert "not observed yet" in rolled_out(Answers(pod(since(AFTER)), observedGeneration=0))


def test_pod_that_failed_before_does_not_stand_in_the_way() -> None:
    """An evicted pod stays in the list until somebody deletes it."""
    gone = pod({"terminated": {"exitCode": 137}}, ready=False, phase="Failed")
    assert rolled_out(Answers(gone, pod(since(AFTER)))) == ""
