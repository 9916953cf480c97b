"""What is said of each way in which an object differs from what was deployed, and which cause it is."""

from __future__ import annotations

import pytest

from hanbae import subjects
from hanbae.diagnosing import drifting
from hanbae.results import diagnoses, drifts

WORKLOAD = subjects.Ref("Deployment", "services", "auth-service")
RELEASE = subjects.Ref(drifts.RELEASE, "services", "auth-service")
MOMENT = "2026-11-29T11:00:00Z"


@pytest.mark.parametrize(
    ("drift", "sentence", "cause"),
    [
        (
            drifts.Drift(WORKLOAD, ("spec.replicas",), "kubectl", MOMENT),
            "drift.changed",
            "diagnosis.changed-by-hand",
        ),
        (
            drifts.Drift(WORKLOAD, ("spec.replicas", "spec.template")),
            "drift.changed-by-nobody",
            "diagnosis.changed-by-nobody",
        ),
        (drifts.Drift(WORKLOAD, is_gone=True), "drift.gone", "diagnosis.gone"),
        (drifts.Drift(RELEASE, is_gone=True), "drift.release-gone", "diagnosis.gone"),
        (
            drifts.Drift(RELEASE, at=MOMENT, revision=5),
            "drift.release-of-others",
            "diagnosis.release-of-others",
        ),
        (
            drifts.Drift(RELEASE, at=MOMENT, revision=6, status="pending-upgrade"),
            "drift.release-pending",
            "diagnosis.release-pending",
        ),
    ],
)
def test_each_way_to_differ_has_its_sentence_and_its_cause(
    drift: drifts.Drift, sentence: str, cause: str
) -> None:
    (text,) = drifts.sentences([drift])
    (named,) = drifting.causes(diagnoses.Drifted("auth", (drift,)), "dev")
    assert (text.id, named.diagnosis.cause.id) == (sentence, cause)


def test_a_release_of_somebody_elses_says_which_revision_that_is_and_not_as_fields() -> None:
    drift = drifts.Drift(RELEASE, at=MOMENT, revision=6, status="pending-upgrade")
    (text,) = drifts.sentences([drift])
    assert (text.facts["revision"], text.facts["status"]) == ("6", "pending-upgrade")
    assert (text.facts["fields"], drift.fields) == ("", ())
