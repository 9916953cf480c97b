"""What people see of a cause, and how grave it is: the policy's four rows first, then what else goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hanbae import subjects, wording
from hanbae.diagnosing import pictures
from hanbae.results import diagnoses, events

_MIGRATION: Final = "doctor.migration-failed"
_START: Final = "doctor.pod-starts-not"
_SECRET: Final = "doctor.secret-absent"  # noqa: S105 - a name of a sentence
_IMAGE: Final = "doctor.image-not-pulled"
_CRASH: Final = "doctor.pod-crashes"
_READY: Final = "doctor.pod-not-ready"
_ROLLOUT: Final = "doctor.rollout-stands"
_SYNC: Final = "doctor.sync-stands"
_REACH: Final = "doctor.not-reached"
_SCALE: Final = "doctor.wrong-count"
_NODE: Final = "doctor.node-troubled"
_LEAVE: Final = "doctor.not-deleted"
_DRIFT: Final = "doctor.differs"
_JOB: Final = "doctor.job-failed"
_DATABASE: Final = "doctor.database-differs"

_BY_CAUSE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "migration-attempt",
            "migration-failed",
            "migration-half",
            "migration-hopeless",
            "migration-killed",
            "migration-order",
            "migration-too-long",
        ),
        _MIGRATION,
    ),
    **dict.fromkeys(
        (
            "secret-missing",
            "secret-key-missing",
            "secret-unmanaged",
            "undecryptable",
            "not-unsealed",
            "not-fetched",
            "operator-silent",
            "controller-absent",
            "controller-down",
            "controller-old",
        ),
        _SECRET,
    ),
    **dict.fromkeys(
        (
            "image-not-found",
            "image-unauthorised",
            "image-unknown",
            "image-unreachable",
            "pull-secret-absent",
        ),
        _IMAGE,
    ),
    **dict.fromkeys(("crashing", "killed", "out-of-memory", "probe-kills", "evicted"), _CRASH),
    **dict.fromkeys(("not-ready", "none-ready"), _READY),
    **dict.fromkeys(
        (
            "no-pods",
            "pod-security",
            "quota",
            "service-account-missing",
            "webhook",
            "webhook-silent",
            "paused",
            "progress-deadline",
        ),
        _ROLLOUT,
    ),
    **dict.fromkeys(
        (
            "application-error",
            "cluster-unknown",
            "invalid-application",
            "not-compared",
            "not-applied",
            "repo-server",
            "operation-stuck",
            "hook-waits",
            "objects-absent",
        ),
        _SYNC,
    ),
    **dict.fromkeys(
        (
            "selects-nothing",
            "port-unknown",
            "ingress-class",
            "backend-absent",
            "backend-port",
            "part-absent",
            "part-silent",
        ),
        _REACH,
    ),
    **dict.fromkeys(
        (
            "no-metrics",
            "scales-nothing",
            "at-most",
            "no-replicas",
            "suspended",
            "missed",
            "guards-nothing",
            "no-disruption",
        ),
        _SCALE,
    ),
    **dict.fromkeys(
        ("node-not-ready", "node-pressure", "node-network", "cordoned", "node-lost"), _NODE
    ),
    **dict.fromkeys(("finalizer", "pod-stays", "namespace-leaving", "application-leaving"), _LEAVE),
    **dict.fromkeys(
        (
            "drift",
            "changed-by-hand",
            "changed-by-nobody",
            "gone",
            "namespace-absent",
            "release-of-others",
            "release-pending",
        ),
        _DRIFT,
    ),
    **dict.fromkeys(("job-attempt", "job-failed", "job-killed", "job-too-long"), _JOB),
}
"""Cause, without its family → symptom; every other one is a pod that does not start, or a Job that fails."""
_NOTICES: Final = frozenset(
    {
        "at-most",
        "changed-by-hand",
        "changed-by-nobody",
        "cordoned",
        "drift",
        "guards-nothing",
        "no-disruption",
        "no-replicas",
        "suspended",
    }
)
_ERRORS: Final = frozenset(
    {"migration-half", "architecture", "evicted", "node-not-ready", "controller-old"}
)


def of(cause: pictures.Cause, root: subjects.Ref, *, is_migration: bool) -> wording.Text:
    """What people see of a cause.

    Args:
        cause: The cause.
        root: What people deploy of what is in trouble.
        is_migration: Whether it is one of a migration's Job.
    """
    name = cause.diagnosis.cause.id.partition(".")[2]
    if events.is_drift(cause.diagnosis.cause):
        return wording.Text(_DATABASE, {"object": str(root)})
    text_id = _BY_CAUSE.get(name)
    if text_id is None:
        text_id = _START
        if name.startswith(("database-", "name-", "certificate-", "peer-", "schema-", "heap-")):
            text_id = _CRASH
    if is_migration and text_id in {_CRASH, _START, _JOB}:
        text_id = _MIGRATION
    return wording.Text(text_id, {"object": str(root)})


def severity(cause: pictures.Cause) -> diagnoses.Severity:
    """How grave a cause is."""
    name = cause.diagnosis.cause.id.partition(".")[2]
    if name in _NOTICES:
        return "notice"
    return "error" if cause.diagnosis.fatal or name in _ERRORS else "warning"
