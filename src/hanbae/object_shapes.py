"""Whether an object that a server sends has the shape that Kubernetes gives objects of its kind.

An API server cannot send anything else. What stands in front of it, or pretends to be it, can; everything behind this
border reads objects as if nobody did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hanbae import patterns

RefreshKind = Literal["normal", "hard"]
"""How Argo CD is asked to look at an Application again: what is in the annotation, and a parameter of its API."""
_Anything = dict[str, Any]
_Texts = dict[str, str]


class _Part(Struct, rename="camel"):
    """Keys that are not named here may have any value."""


class _Metadata(_Part):
    name: str
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    generation: int | None = None
    labels: _Texts | None = None
    annotations: _Texts | None = None
    owner_references: list[_Anything] | None = None
    finalizers: list[str] | None = None


class _Object(_Part):
    metadata: _Metadata


class _Named(_Part):
    name: str
    image: str | None = None


class _Condition(_Part):
    type: str
    status: str | None = None
    reason: str | None = None
    message: str | None = None


class _State(_Part):
    waiting: _Anything | None = None
    running: _Anything | None = None
    terminated: _Anything | None = None


class _ContainerStatus(_Part):
    name: str
    state: _State | None = None
    last_state: _State | None = None
    # Kubernetes writes ID in capitals here, which `rename="camel"` does not.
    container_id: str | None = msgspec.field(name="containerID", default=None)
    image_id: str | None = msgspec.field(name="imageID", default=None)
    restart_count: int | None = None
    ready: bool | None = None
    image: str | None = None


class _PodSpec(_Part):
    containers: list[_Named]
    init_containers: list[_Named] | None = None
    ephemeral_containers: list[_Named] | None = None


class _PodStatus(_Part):
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None
    ephemeral_container_statuses: list[_ContainerStatus] | None = None


class _Pod(_Object):
    spec: _PodSpec | None = None
    status: _PodStatus | None = None


class _TemplateMetadata(_Part):
    labels: _Texts | None = None
    annotations: _Texts | None = None


class _Template(_Part):
    metadata: _TemplateMetadata | None = None
    spec: _PodSpec | None = None


class _WorkloadSpec(_Part):
    template: _Template | None = None
    replicas: int | None = None


class _WorkloadStatus(_Part):
    conditions: list[_Condition] | None = None
    observed_generation: int | None = None
    replicas: int | None = None
    updated_replicas: int | None = None
    available_replicas: int | None = None
    desired_number_scheduled: int | None = None
    updated_number_scheduled: int | None = None
    number_available: int | None = None


class _Workload(_Object):
    spec: _WorkloadSpec | None = None
    status: _WorkloadStatus | None = None


class _Former(_Part):
    spec: _WorkloadSpec | None = None


class _ControllerRevision(_Object):
    data: _Former | None = None
    revision: int | None = None


class _Sync(_Part):
    status: str | None = None
    revision: str | None = None
    revisions: list[str] | None = None
    message: str | None = None


class _SyncPolicy(_Part):
    automated: _Anything | None = None
    sync_options: list[str] | None = None


class _Destination(_Part):
    server: str | None = None
    name: str | None = None
    namespace: str | None = None


class _HelmOptions(_Part):
    release_name: str | None = None


class _Source(_Part):
    repo_url: str | None = msgspec.field(name="repoURL", default=None)
    path: str | None = None
    target_revision: str | None = None
    helm: _HelmOptions | None = None


class _ApplicationSpec(_Part):
    project: str | None = None
    destination: _Destination | None = None
    source: _Source | None = None
    sources: list[_Source] | None = None
    sync_policy: _SyncPolicy | None = None


class _Info(_Part):
    name: str | None = None
    value: str | None = None


class _Initiator(_Part):
    username: str | None = None
    automated: bool | None = None


class _Strategy(_Part):
    apply: _Anything | None = None


class _Request(_Part):
    revision: str | None = None
    revisions: list[str] | None = None
    prune: bool | None = None
    dry_run: bool | None = None
    resources: list[_Anything] | None = None
    manifests: list[str] | None = None
    sync_strategy: _Strategy | None = None
    sync_options: list[str] | None = None


class _Operation(_Part):
    sync: _Request | None = None
    info: list[_Info] | None = None
    initiated_by: _Initiator | None = None


class _Result(_Part):
    kind: str | None = None
    group: str | None = None
    namespace: str | None = None
    name: str | None = None
    status: str | None = None
    message: str | None = None
    hook_type: str | None = None
    hook_phase: str | None = None
    sync_phase: str | None = None


class _SyncResult(_Part):
    revision: str | None = None
    revisions: list[str] | None = None
    resources: list[_Result] | None = None


class _OperationState(_Part):
    phase: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    retry_count: int | None = None
    operation: _Operation | None = None
    sync_result: _SyncResult | None = None


class _Resource(_Result):
    health: _Sync | None = None
    requires_pruning: bool | None = None


class _Deployed(_Part):
    revision: str | None = None
    revisions: list[str] | None = None
    deployed_at: str | None = None
    deploy_started_at: str | None = None
    initiated_by: _Initiator | None = None


class _Summary(_Part):
    images: list[str] | None = None


class _ApplicationStatus(_Part):
    sync: _Sync | None = None
    health: _Sync | None = None
    conditions: list[_Condition] | None = None
    resources: list[_Resource] | None = None
    history: list[_Deployed] | None = None
    operation_state: _OperationState | None = None
    summary: _Summary | None = None
    reconciled_at: str | None = None


class _Application(_Object):
    spec: _ApplicationSpec | None = None
    status: _ApplicationStatus | None = None
    operation: _Operation | None = None


class _Data(_Object):
    data: _Texts | None = None


_VERSION: Final = patterns.lazy("[0-9]{1,39}")
"""Of 128 bits at most; what has thousands of digits, which Python refuses to read, is none."""
_LACKING: Final = patterns.lazy(r"Object missing required field `(\w+)`")
_KINDS: Final[Mapping[str, type[_Object]]] = {
    "Application": _Application,
    "ConfigMap": _Data,
    "ControllerRevision": _ControllerRevision,
    "DaemonSet": _Workload,
    "Deployment": _Workload,
    "Job": _Workload,
    "Pod": _Pod,
    "ReplicaSet": _Workload,
    "Secret": _Data,
    "StatefulSet": _Workload,
}


def fault(item: Any, kind: str) -> str:
    """What of an object does not have its kind's shape, such as ``metadata.name``; empty where all has.

    Args:
        item: The object.
        kind: Its kind.
    """
    try:
        msgspec.convert(item, _KINDS.get(kind, _Object))
    except msgspec.ValidationError as error:
        # Its words name types, a key that is missing, and the place behind "$"; no value is among them.
        words, is_below, place = str(error).rpartition("`$")
        lacking = _LACKING.match(words if is_below else place)
        keys = (place.strip(".`") if is_below else "", lacking[1] if lacking else "")
        return ".".join(filter(None, keys)) or "metadata"
    return ""


def version(item: Mapping[str, Any]) -> int:
    """An object's resource version; 0 where it has none that an API server gives.

    Those of one kind are ordered as numbers: that was so before Kubernetes 1.35 promised it.
    """
    text = str((item.get("metadata") or {}).get("resourceVersion") or "")
    return int(text) if _VERSION.fullmatch(text) else 0
