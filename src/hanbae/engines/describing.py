"""An object's state in a few words of the cluster's own, for the live view and the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hanbae import excerpts, subjects
from hanbae.engines import rollouts
from hanbae.releases import external_secrets
from hanbae.results import events

Object = Mapping[str, Any]

BRINGING: Final = frozenset({"SealedSecret", "ExternalSecret"})
"""Kinds of which a controller makes Secrets; they are ``Synced`` once it has."""


def observed(ref: subjects.Ref, live: Object) -> events.Observed | None:
    """The state of an object, or None for kinds that have none worth telling."""
    describe = _KINDS.get(ref.kind)
    if describe is None:
        return None
    state, reason, message = describe(live)
    return events.Observed(ref, state, reason, excerpts.one_line(message)) if state else None


def warned(event: Object) -> events.Observed:
    """A warning that the cluster gave about an object."""
    about = event.get("involvedObject") or {}
    ref = subjects.Ref(about.get("kind", ""), about.get("namespace", ""), about.get("name", ""))
    reason, message = event.get("reason") or "", event.get("message") or ""
    return events.Observed(ref, "Warning", reason, excerpts.one_line(message))


def _job(job: Object) -> tuple[str, str, str]:
    status = job.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in {"Complete", "Failed"}:
            return condition["type"], condition.get("reason") or "", condition.get("message") or ""
    failed = int(status.get("failed") or 0)
    message = f"{failed} failed" if failed else ""
    # Between the end of its pod and the verdict on it a Job is neither active nor complete.
    return ("Running" if status.get("startTime") else "Pending"), "", message


def _pod(pod: Object) -> tuple[str, str, str]:
    status = pod.get("status") or {}
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return "Terminating", "", ""
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    trouble = next(filter(None, map(_trouble, containers)), None)
    if trouble is not None:
        return trouble
    # A failed one would have been reported by `_trouble` above.
    if containers and all(
        (container.get("state") or {}).get("terminated") for container in containers
    ):
        return "Succeeded", "", ""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return "Pending", condition.get("reason") or "", condition.get("message") or ""
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return "Ready", "", ""
    return status.get("phase") or "Pending", status.get("reason") or "", status.get("message") or ""


def _trouble(container: Object) -> tuple[str, str, str] | None:
    """What a container waits for, or how it has failed."""
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    # All containers report this while init containers run; it is no trouble of their own.
    if waiting.get("reason") and waiting["reason"] != "PodInitializing":
        return waiting["reason"], container["name"], waiting.get("message") or ""
    if ended.get("exitCode"):
        why = f"{ended.get('reason') or 'Error'} (exit {ended['exitCode']})"
        return "Failed", container["name"], why
    return None


def _deployment(deployment: Object) -> tuple[str, str, str]:
    progress = rollouts.progress(deployment)
    return progress.state, progress.reason, progress.message


def _sealed_secret(sealed: Object) -> tuple[str, str, str]:
    # Until the controller has seen a new spec, the condition is about the previous one.
    if not rollouts.is_current(sealed):
        return "Pending", "", ""
    for condition in (sealed.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Synced":
            state = "Synced" if condition.get("status") == "True" else "NotSynced"
            return state, condition.get("reason") or "", condition.get("message") or ""
    return "Pending", "", ""


def _external_secret(external: Object) -> tuple[str, str, str]:
    return external_secrets.state(external)


_KINDS: Final[Mapping[str, Callable[[Object], tuple[str, str, str]]]] = {
    "Job": _job,
    "Pod": _pod,
    "Deployment": _deployment,
    "StatefulSet": _deployment,
    "SealedSecret": _sealed_secret,
    "ExternalSecret": _external_secret,
}
