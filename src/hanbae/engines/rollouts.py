"""Whether a rollout is complete, as ``kubectl rollout status`` decides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

Object = Mapping[str, Any]

KINDS: Final = ("Deployment", "StatefulSet")
"""Kinds whose rollout is awaited."""


DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"
"""Why a Deployment says that it makes no progress."""


class Progress(Struct, frozen=True):
    """How far a rollout is.

    Attributes:
        state: ``Complete``, ``Progressing``, ``Paused`` or ``Failed``.
        reason: The controller's reason, where it gives one.
        message: Counts of pods, or the controller's sentence.
    """

    state: str
    reason: str
    message: str

    @property
    def complete(self) -> bool:
        """All pods are available, and those of the newest template that are not held back."""
        return self.state == "Complete"


def progress(workload: Object) -> Progress:
    """How far the rollout of an object is.

    The status counts only once the controller has seen the newest spec (``observedGeneration``); before that it
    describes the rollout before.
    """
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if workload.get("kind") == "DaemonSet":
        return _on_nodes(workload)
    replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
    if not is_current(workload):
        return Progress("Progressing", "", f"0 of {replicas} new")
    failed = _failed(status)
    if failed is not None:
        return failed
    if spec.get("paused"):
        return Progress("Paused", "", "")
    updated = int(status.get("updatedReplicas") or 0)
    total = int(status.get("replicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    counts = f"{updated} of {replicas} new, {available} ready"
    # A StatefulSet calls its newest revision the current one only when every pod has it;
    # a Deployment names neither, so that they are the same.
    settled = status.get("currentRevision") == status.get("updateRevision")
    held_back = _held_back(workload, replicas)
    if held_back:
        is_complete = updated >= replicas - held_back and total <= replicas <= available
    else:
        is_complete = updated >= replicas and total <= updated <= available and settled
    if is_complete:
        return Progress("Complete", "", counts)
    old = max(total - updated, 0)
    return Progress("Progressing", "", counts + (f", {old} former to end" if old else ""))


def _held_back(workload: Object, pods: int) -> int:
    """How many pods keep their former template because the object says so: a partition, or nothing until deleted."""
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return pods
    return min(int((strategy.get("rollingUpdate") or {}).get("partition") or 0), pods)


def _on_nodes(daemonset: Object) -> Progress:
    """How far a DaemonSet is, whose pods are counted by nodes."""
    status = daemonset.get("status") or {}
    nodes = int(status.get("desiredNumberScheduled") or 0)
    if not is_current(daemonset):
        return Progress("Progressing", "", f"0 of {nodes} new")
    updated = int(status.get("updatedNumberScheduled") or 0)
    available = int(status.get("numberAvailable") or 0)
    needed = nodes - _held_back(daemonset, nodes)
    state = "Complete" if updated >= needed and available >= nodes else "Progressing"
    return Progress(state, "", f"{updated} of {nodes} new, {available} ready")


def is_current(live: Object) -> bool:
    """Whether the status describes the newest spec."""
    observed = int((live.get("status") or {}).get("observedGeneration") or 0)
    return observed >= int(live["metadata"].get("generation") or 0)


def since(workload: Mapping[str, Any], started: str) -> dict[str, Any]:
    """The object without a verdict of an earlier rollout's.

    A Deployment keeps the condition that it made no progress until its template changes, so a deployment of the same
    commit would read it as its own.

    Args:
        workload: The object.
        started: When the deployment's operation began, in RFC 3339; empty where that is not known.
    """
    status = workload.get("status") or {}
    conditions = status.get("conditions") or []
    # Both times are RFC 3339 in UTC with whole seconds, so they compare as text.
    current = [
        condition
        for condition in conditions
        if condition.get("reason") != DEADLINE_EXCEEDED
        or not started
        or str(condition.get("lastTransitionTime") or started) >= started
    ]
    if len(current) == len(conditions):
        return dict(workload)
    return {**workload, "status": {**status, "conditions": current}}


def newest(deployment: Object, replicaset: Object) -> bool:
    """Whether a ReplicaSet is that of the Deployment's newest template."""
    return bool(_number(deployment)) and _number(deployment) == _number(replicaset)


def images(workload: Object) -> dict[str, str]:
    """Container → image of an object's pod template."""
    spec = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    return {
        container["name"]: container.get("image") or ""
        for container in spec.get("containers") or []
    }


def _failed(status: Mapping[str, Any]) -> Progress | None:
    for condition in status.get("conditions") or []:
        if condition.get("reason") == DEADLINE_EXCEEDED:
            return Progress("Failed", condition["reason"], condition.get("message") or "")
    return None


def _number(live: Object) -> str:
    annotations = live["metadata"].get("annotations") or {}
    return str(annotations.get("deployment.kubernetes.io/revision") or "")
