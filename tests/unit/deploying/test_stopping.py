"""Pods of a migration that have not ended: which of them may still write."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import objects

from hanbae import subjects
from hanbae.clusters import kinds, reading
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
