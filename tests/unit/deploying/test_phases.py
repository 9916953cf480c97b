"""How an expected failure closes a deployment, at every phase."""

from __future__ import annotations

import pytest

from hanbae import errors
from hanbae.deploying import phases

LOST = errors.Unreachable("cluster.unreachable")
FORBIDDEN = errors.Forbidden("cluster.forbidden")
REFUSED = errors.Refused("argo.busy")
FAILED = errors.Failed("argo.sync-failed")


@pytest.mark.parametrize(
    ("phase", "error", "outcome"),
    [
        (phases.Phase.PLANNED, LOST, "refused"),
        (phases.Phase.PLANNED, REFUSED, "refused"),
        (phases.Phase.REQUESTED, LOST, "unknown"),
        (phases.Phase.REQUESTED, FORBIDDEN, "refused"),
        (phases.Phase.REQUESTED, REFUSED, "refused"),
        (phases.Phase.RESUMED, LOST, "unknown"),
        (phases.Phase.RESUMED, FAILED, "unknown"),
        (phases.Phase.RESUMED, FORBIDDEN, "unknown"),
        (phases.Phase.BEGUN, LOST, "unknown"),
        (phases.Phase.BEGUN, FORBIDDEN, "unknown"),  # what was begun runs on, unseen
        (phases.Phase.BEGUN, FAILED, "failed"),
        (phases.Phase.CARRIED_OUT, LOST, "unknown"),
        (phases.Phase.CARRIED_OUT, FORBIDDEN, "failed"),
        (phases.Phase.CARRIED_OUT, FAILED, "failed"),
    ],
)
def test_a_failure_closes_a_deployment_as_its_phase_allows(
    phase: phases.Phase, error: errors.Error, outcome: str
) -> None:
    assert phases.outcome(phase, error) == outcome


def test_phases_come_in_the_order_in_which_more_may_run() -> None:
    assert max(phases.Phase.RESUMED, phases.Phase.REQUESTED) is phases.Phase.RESUMED
    assert max(phases.Phase.BEGUN, phases.Phase.REQUESTED) is phases.Phase.BEGUN
    assert max(phases.Phase.BEGUN, phases.Phase.CARRIED_OUT) is phases.Phase.CARRIED_OUT
