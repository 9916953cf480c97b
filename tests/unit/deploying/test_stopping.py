"""Pods of a migration that have not ended: which of them may still write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import objects

from hanbae import subjects
from hanbae.clusters import kinds, logs, reading
from hanbae.deploying import stopping
from hanbae.results import plans

JOB = subjects.Ref("Job", "services-dev", "auth-service-migrate")
PLAN = plans.Plan(1, "auth", "dev", (plans.Step("prove", plans.Prove("auth_db", (1,), JOB, {})),))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}, False),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "X"}}, "lastState": {}}]},
            False,
        ),
        ({"containerStatuses": [{"state": {"running": {}}}]}, True),
        ({"containerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]}, True),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1}},
                    }
                ]
            },
            True,
        ),
        (
            {
                "initContainerStatuses": [{"state": {"running": {}}}],
                "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            True,
        ),
    ],
)
async def test_a_pod_of_which_no_container_ever_ran_has_written_nothing(
    monkeypatch: pytest.MonkeyPatch, status: dict[str, Any], expected: bool
) -> None:
    pod = objects.pod("auth-service-migrate-1") | {"status": {"phase": "Pending", **status}}

    async def find(*_: object, **__: object) -> list[kinds.Object]:
        return [pod]

    monkeypatch.setattr(reading, "find", find)
    cluster: Any = None
    (left,) = await stopping.still_running(cluster, PLAN)
    assert left.ref.name == "auth-service-migrate-1"
    assert left.was_started is expected


async def test_the_logs_of_a_migration_are_read_in_the_order_of_its_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = {"containerStatuses": [{"name": "migrate", "state": {"running": {}}}]}
    pods = [objects.pod(name) | {"status": started} for name in ("m-2", "m-1")]
    pods[0]["metadata"]["creationTimestamp"] = "2026-11-23T12:00:02Z"
    pods[1]["metadata"]["creationTimestamp"] = "2026-11-23T12:00:01Z"

    async def find(*_: object, **__: object) -> list[kinds.Object]:
        return pods

    async def tail(_: object, __: str, pod: str, container: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(text=f"{pod} {container}")]

    monkeypatch.setattr(reading, "find", find)
    monkeypatch.setattr(logs, "tail", tail)
    cluster: Any = None
    assert await stopping.log_lines(cluster, JOB) == ("m-1 migrate", "m-2 migrate")
