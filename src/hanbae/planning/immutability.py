"""Changes of fields that the API server never takes: each is refused, and the sync with it.

Argo CD applies such an object all the same and fails; only one that is deleted and made anew, by ``Replace=true`` with
``Force=true``, or a hook that is deleted before it runs again, may differ in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.apis import quantities
from hanbae.argo import hooks
from hanbae.planning import differing

Object = Mapping[str, Any]
Path = tuple[str | int, ...]

_OPTIONS: Final = "argocd.argoproj.io/sync-options"
_SELECTOR: Final[tuple[Path, ...]] = (("spec", "selector"),)
# Kind → the parts that stay as they were created.
_FIXED: Final[Mapping[str, tuple[Path, ...]]] = {
    "Deployment": _SELECTOR,
    "ReplicaSet": _SELECTOR,
    "DaemonSet": _SELECTOR,
    "Job": (
        *_SELECTOR,
        ("spec", "template"),
        ("spec", "completionMode"),
        ("spec", "podFailurePolicy"),
        ("spec", "backoffLimitPerIndex"),
        ("spec", "managedBy"),
    ),
    "StatefulSet": (("spec",),),
    "PersistentVolumeClaim": (("spec",),),
    "Service": (("spec", "clusterIP"), ("spec", "clusterIPs")),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "Secret": (("type",),),
    "StorageClass": (("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",)),
    "PriorityClass": (("value",), ("preemptionPolicy",)),
    "RuntimeClass": (("handler",),),
    "IngressClass": (("spec", "controller"),),
    "CustomResourceDefinition": (("spec", "scope"),),
    "EndpointSlice": (("addressType",),),
}
# Kind → the parts of these that may change all the same.
_FREE: Final[Mapping[str, tuple[Path, ...]]] = {
    "StatefulSet": tuple(
        ("spec", name)
        for name in (
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        )
    ),
    "PersistentVolumeClaim": (("spec", "resources"), ("spec", "volumeAttributesClassName")),
}
# What the API server fills in where nothing is said.
_DEFAULTS: Final[Mapping[Path, Any]] = {
    ("spec", "podManagementPolicy"): "OrderedReady",
    ("spec", "volumeMode"): "Filesystem",
    ("spec", "completionMode"): "NonIndexed",
    ("reclaimPolicy",): "Delete",
    ("volumeBindingMode",): "Immediate",
    ("preemptionPolicy",): "PreemptLowerPriority",
    ("type",): "Opaque",
}
_DATA: Final = frozenset({"data", "binaryData", "stringData", "immutable"})
_STORAGE: Final[Path] = ("spec", "resources", "requests", "storage")


def refused(old: Object, new: Object) -> tuple[str, ...]:
    """The fields for which the API server refuses a change.

    Args:
        old: The object as it is.
        new: The object as it is to be, of the same kind and name.
    """
    if hooks.phases(new) or _is_replaced(new):
        return ()
    kind = str(new.get("kind"))
    frozen = old.get("immutable") is True
    fields = (
        differing.shown(path[:2] if kind != "PersistentVolumeClaim" else path)
        for path, before, after in differing.pairs(old, new)
        if _is_refused(kind, path, before, after, frozen=frozen)
    )
    return tuple(dict.fromkeys(fields))


def _is_refused(kind: str, path: Path, before: Any, after: Any, *, frozen: bool) -> bool:
    if kind in ("ConfigMap", "Secret") and frozen and path[0] in _DATA:
        return True
    if kind == "PersistentVolumeClaim" and path == _STORAGE:
        # A claim may ask for more storage, never for less.
        return _shrinks(before, after)
    fixed = any(path[: len(part)] == part for part in _FIXED.get(kind, ()))
    free = any(path[: len(part)] == part for part in _FREE.get(kind, ()))
    if not fixed or free:
        return False
    # Compared one by one: a faulty manifest may have a list there, which no set takes.
    if path in _DEFAULTS and all(
        value in (differing.ABSENT, _DEFAULTS[path]) for value in (before, after)
    ):
        return False
    # An address that was left out is given by the cluster, and kept.
    return kind != "Service" or (before is not differing.ABSENT and after is not differing.ABSENT)


def _shrinks(before: Any, after: Any) -> bool:
    old, new = quantities.quantity(before), quantities.quantity(after)
    return old is not None and new is not None and new < old


def _is_replaced(manifest: Object) -> bool:
    """Whether Argo CD deletes the object and makes it anew."""
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    options = annotations.get(_OPTIONS) if isinstance(annotations, Mapping) else ""
    return "Force=true" in {part.strip() for part in str(options).split(",")}
