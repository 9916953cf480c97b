"""Services that are broken in every way that a real cluster tells of, side by side.

Each is named with its cause soon after the cluster knows, and no operation is left that would block the next
deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import delays, faults, scenes

ENVIRONMENT = "early"
#: Seconds from the cluster's word to ours. The budget is one second, which `./dev bench` measures; thirteen
#: deployments beside other scenes get more, but less than the end of anything that waits for a deadline.
WITHIN = 15.0


@pytest.fixture(scope="module")
def named(demo: Any) -> Iterator[tuple[scenes.Scene, delays.Named]]:
    """One deployment of all of them."""
    scene = scenes.own(demo.sandbox, ENVIRONMENT, services=(faults.LIKE,))
    try:
        faults.publish(scene)
        yield scene, delays.deploy(scene)
    finally:
        faults.clean(scene)


@pytest.mark.parametrize("service", faults.FAULTS)
def test_cause_is_named_at_once_and_nothing_is_left_running(
    named: tuple[scenes.Scene, delays.Named], service: str
) -> None:
    scene, run = named
    assert run.ended.code == 1, run.ended.err
    (verdict,) = [
        deployment for deployment in run.ended.deployments if deployment["service"] == service
    ]
    assert verdict["outcome"] == "failed"
    causes = {deployment["cause"]["id"] for deployment in verdict["diagnoses"]}
    assert causes & set(faults.FAULTS[service].causes), (causes, run.ended.err)
    assert run.after[service] <= WITHIN
    application = scene.operation(service)
    assert "operation" not in application
    assert application["status"]["operationState"]["phase"] in {"Succeeded", "Failed", "Error"}
