"""What somebody has changed of a release, and who is named for it."""

from __future__ import annotations

from typing import Any

from hanbae import subjects
from hanbae.planning import drifting, forecasting
from hanbae.results import drifts

REF = subjects.Ref("Deployment", "shop", "auth")
APPLIED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "auth", "namespace": "shop"},
    "spec": {"replicas": 2, "paused": False},
}


def entry(manager: str, time: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields, **more}


def live(spec: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    own = {"f:spec": {"f:replicas": {}, "f:paused": {}}}
    helm = entry("helm", "2026-11-29T10:00:00Z", own) | {"operation": "Apply"}
    metadata = APPLIED["metadata"] | {"managedFields": [helm, *entries]}
    return {**APPLIED, "metadata": metadata, "spec": spec}


def of(present: dict[str, Any] | None, *, readable: bool = True) -> tuple[drifts.Drift, ...]:
    here = forecasting.Live(present, readable=readable)
    return drifting.of({REF: here}, [APPLIED], "shop", manager="helm")


def test_what_is_as_it_was_applied_has_not_drifted() -> None:
    restarted = entry("hanbae", "2026-11-29T11:00:00Z", {"f:spec": {"f:template": {}}})
    status = entry("kubelet", "2026-11-29T12:00:00Z", {"f:status": {}}, subresource="status")
    assert of(live({**APPLIED["spec"], "template": {}}, restarted, status)) == ()


def test_who_manages_the_field_is_named_though_others_have_written_since() -> None:
    scaled = entry(
        "kubectl", "2026-11-29T11:00:00Z", {"f:spec": {"f:replicas": {}}}, subresource="scale"
    )
    labelled = entry("kubectl-label", "2026-11-29T12:00:00Z", {"f:metadata": {"f:labels": {}}})
    (drift,) = of(live({"replicas": 5, "paused": False}, scaled, labelled))
    assert drift == drifts.Drift(REF, ("spec.replicas",), "kubectl", "2026-11-29T11:00:00Z")


def test_who_took_a_field_away_manages_nothing_and_has_written_last() -> None:
    edited = entry("kubectl-edit", "2026-11-29T11:00:00Z", {"f:spec": {}})
    status = entry("kubelet", "2026-11-29T12:00:00Z", {"f:status": {}}, subresource="status")
    (drift,) = of(live({"paused": False}, edited, status))
    assert (drift.fields, drift.author) == (("spec.replicas",), "kubectl-edit")


def test_what_is_gone_is_said_and_what_may_not_be_read_is_not() -> None:
    assert of(None) == (drifts.Drift(REF, is_gone=True),)
    assert of(None, readable=False) == ()
