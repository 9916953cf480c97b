"""What Argo CD remembers is hanbae's where the history has it, and somebody else's where it has not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support import records

from hanbae.argo import others
from hanbae.results import deployments

A, B = "a" * 40, "b" * 40
NOW = records.BEGUN + timedelta(hours=2)


def entry(revision: str, minute: int, **by: Any) -> dict[str, Any]:
    began = records.BEGUN + timedelta(minutes=minute)
    return {
        "revision": revision,
        "deployStartedAt": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "deployedAt": (began + timedelta(seconds=9)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "initiatedBy": by,
    }


def recorded(
    revision: str, outcome: str = "succeeded", *, closed: bool = True
) -> deployments.Deployment:
    return deployments.Deployment(
        "d1",
        "auth",
        "dev",
        revision,
        outcome,  # type: ignore[arg-type]
        opened=records.BEGUN,
        began=None if outcome == "refused" else records.BEGUN + timedelta(minutes=4),
        closed=records.BEGUN + timedelta(minutes=10) if closed else None,
    )


@pytest.mark.parametrize(
    ("synced", "deployment", "is_outside"),
    [
        (entry(A, 5), recorded(A), False),
        (entry(A, -1), recorded(A), False),  # the clocks are apart
        (entry(A, 60), recorded(A), True),  # the same commit, later
        (entry(B, 5), recorded(A), True),  # another commit meanwhile
        (entry(A, 5), recorded(A, "refused"), True),
        (entry(A, 60), recorded(A, "running", closed=False), False),
    ],
)
def test_a_sync_is_hanbaes_where_a_deployment_of_its_commit_was_under_way(
    synced: dict[str, Any], deployment: deployments.Deployment, is_outside: bool
) -> None:
    application = {"status": {"history": [synced]}}
    listed = list(others.syncs(application, "auth", "dev", [deployment], now=NOW))
    assert bool(listed) == is_outside


def test_of_two_syncs_one_is_a_deployments() -> None:
    """A person has synced the same commit right after hanbae."""
    history = [entry(A, 5, username="deployer"), entry(A, 11, username="mina")]
    application = {"status": {"history": history}}
    (sync,) = others.syncs(application, "auth", "dev", [recorded(A)], now=NOW)
    assert sync.by == "mina"


def test_who_began_a_sync_is_told() -> None:
    history = [entry(A, 1, username="ann"), entry(B, 2, automated=True)]
    by_ann, automated = others.syncs({"status": {"history": history}}, "auth", "dev", [], now=NOW)
    assert (by_ann.by, by_ann.automated, by_ann.revision) == ("ann", False, A)
    assert (automated.by, automated.automated) == ("", True)


def test_edits_are_those_of_other_programs_in_the_specification() -> None:
    time = "2026-11-23T01:02:03Z"
    spec = {"f:spec": {"f:source": {}, "f:syncPolicy": {}}}
    managed = [
        {"manager": "kubectl-edit", "time": time, "fieldsV1": spec},
        {"manager": "hanbae", "time": time, "fieldsV1": spec},
        {"manager": "argocd-application-controller", "time": time, "fieldsV1": spec},
        {"manager": "kubectl-label", "time": time, "fieldsV1": {"f:metadata": {}}},
    ]
    application = {"metadata": {"name": "auth-dev", "managedFields": managed}}
    (edit,) = others.edits(application, "auth", "dev", own="hanbae")
    assert (edit.manager, edit.fields) == ("kubectl-edit", ("source", "syncPolicy"))


@pytest.mark.parametrize(
    "application",
    [
        {},
        {"status": {"history": [{}]}},
        {"status": {"history": [{"revision": A, "deployedAt": "soon"}]}},
        {"metadata": {"managedFields": "x"}},
        {"metadata": {"managedFields": ["x", {"manager": 1, "fieldsV1": "x", "time": 3}]}},
        {"metadata": {"managedFields": [{"manager": "x", "fieldsV1": {"f:spec": {"f:a": {}}}}]}},
    ],
)
def test_what_is_not_there_or_is_something_else_is_left_out(application: dict[str, Any]) -> None:
    assert list(others.syncs(application, "auth", "dev", [], now=NOW)) == []
    assert list(others.edits(application, "auth", "dev", own="hanbae")) == []
