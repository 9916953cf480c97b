"""Where a service stands in an environment, by what Argo CD says of it."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.argo import standing

OLD, NEW = "a" * 40, "b" * 40
RUNNING = {"phase": "Running", "message": "waiting", "operation": {"sync": {"revision": NEW}}}


def application(
    *,
    deployed: str = OLD,
    status: str = "Synced",
    compared: str = OLD,
    health: str = "Healthy",
    **more: Any,
) -> dict[str, Any]:
    entries = [{"revision": deployed, "deployedAt": "2026-11-28T09:30:00Z"}] if deployed else []
    return {
        "metadata": {"name": "auth-dev"},
        "status": {
            "history": entries,
            "sync": {"status": status, "revision": compared},
            "health": {"status": health, "message": "why"},
            "summary": {"images": ["shop/auth:1"]},
            **more,
        },
    }


@pytest.mark.parametrize(
    ("fields", "head", "state"),
    [
        ({}, OLD, "current"),
        ({"compared": NEW}, NEW, "current"),
        ({"status": "OutOfSync", "compared": NEW}, NEW, "behind"),
        ({"status": "OutOfSync"}, OLD, "drifted"),
        ({}, NEW, "unseen"),
        ({"health": "Degraded"}, OLD, "degraded"),
        ({"health": "Progressing"}, OLD, "progressing"),
        ({"health": "Missing", "status": "OutOfSync"}, OLD, "degraded"),
        ({"health": "Suspended"}, OLD, "current"),
        ({"deployed": "", "status": "OutOfSync", "health": "Missing"}, OLD, "absent"),
        ({"operationState": RUNNING, "health": "Degraded"}, NEW, "busy"),
        ({"status": "Unknown"}, OLD, "unknown"),
        ({"health": ""}, OLD, "unknown"),
        ({}, "", "current"),
    ],
    ids=[
        "the head runs",
        "a newer commit that changes nothing for it",
        "a newer commit that changes it",
        "the cluster was changed",
        "a commit that Argo CD has not seen",
        "unhealthy",
        "its pods are not ready yet",
        "its objects are gone",
        "suspended by somebody",
        "never deployed",
        "at work, whatever its health",
        "Argo CD cannot compare",
        "Argo CD has not looked at all",
        "a branch that could not be read",
    ],
)
def test_state(fields: dict[str, Any], head: str, state: str) -> None:
    judged = standing.judge(application(**fields), "auth", "dev", head=head)
    assert judged.state == state


def test_where_there_is_no_application_it_is_absent() -> None:
    judged = standing.judge(None, "auth", "dev", head=OLD)
    assert (judged.state, judged.deployed, judged.head) == ("absent", "", OLD)


def test_what_runs_is_named() -> None:
    judged = standing.judge(application(), "auth", "dev", head=OLD)
    assert judged.deployed == OLD
    assert judged.since == "2026-11-28T09:30:00Z"
    assert judged.images == ("shop/auth:1",)
