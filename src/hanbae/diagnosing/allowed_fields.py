"""Which fields of an object a snapshot holds: those that a diagnosis reads, and nothing that could be a secret.

An allow-list with types: a field that is not named here, or is of another type, is not kept, whatever a server or a
file says. Values of variables, arguments, commands, ConfigMaps and Secrets are in none of these fields. Texts pass the
redactor. What is left can be read without asking for each part whether it is there as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae.policy import labels

Leaf = Literal["text", "number", "truth", "scalar"]
Tree = Any
"""A leaf, a mapping of keys to trees (``*`` for every key), or :class:`Many`."""

LONGEST: Final = 1000
"""Characters of one text."""
MOST: Final = 200
"""Entries of one list or mapping."""


class Many(Struct, frozen=True):
    """A list, and what each of its entries is; one that lacks a key that it needs is left out."""

    tree: Tree
    needs: tuple[str, ...] = ()


def _texts(*keys: str) -> dict[str, Tree]:
    return dict.fromkeys(keys, "text")


def _numbers(*keys: str) -> dict[str, Tree]:
    return dict.fromkeys(keys, "number")


def _truths(*keys: str) -> dict[str, Tree]:
    return dict.fromkeys(keys, "truth")


_LABELS: Final = {"*": "text"}
_AMOUNTS: Final = {"*": "scalar"}
_CONDITIONS: Final = {
    "conditions": Many(
        _texts("type", "status", "reason", "message", "lastTransitionTime"), ("type",)
    )
}
_METADATA: Final = {
    **_texts("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"),
    **_numbers("generation", "deletionGracePeriodSeconds"),
    "finalizers": Many("text"),
    "labels": _LABELS,
    "annotations": _texts(
        "argocd.argoproj.io/hook",
        "argocd.argoproj.io/sync-wave",
        "argocd.argoproj.io/refresh",
        "batch.kubernetes.io/job-index-failure-count",
        labels.TRACKING,
        labels.HELM_RELEASE,
        labels.HELM_NAMESPACE,
        "ingressclass.kubernetes.io/is-default-class",
        "sealedsecrets.bitnami.com/cluster-wide",
        "sealedsecrets.bitnami.com/namespace-wide",
    ),
    "ownerReferences": Many({**_texts("kind", "name"), **_truths("controller")}, ("kind", "name")),
    "managedFields": Many(_texts("manager", "operation", "time", "subresource"), ("manager",)),
}
_REFERENCE: Final = {"*": {**_texts("name", "key"), **_truths("optional")}}
_PROBE: Final = {"httpGet": {"port": "scalar", "path": "text"}, "tcpSocket": {"port": "scalar"}}
_CONTAINER: Final = Many(
    {
        **_texts("name", "image", "restartPolicy"),
        "env": Many({"name": "text", "valueFrom": _REFERENCE}),
        "envFrom": Many(_REFERENCE),
        "ports": Many({**_texts("name", "protocol"), **_numbers("containerPort")}),
        "resources": {"limits": _AMOUNTS, "requests": _AMOUNTS},
        "readinessProbe": _PROBE,
        "livenessProbe": _PROBE,
        "startupProbe": _PROBE,
    },
    ("name",),
)
_POD_SPEC: Final = {
    **_texts("nodeName", "serviceAccountName", "restartPolicy"),
    **_numbers("terminationGracePeriodSeconds"),
    "nodeSelector": _LABELS,
    "imagePullSecrets": Many(_texts("name"), ("name",)),
    "containers": _CONTAINER,
    "initContainers": _CONTAINER,
    "volumes": Many(
        {
            "name": "text",
            "secret": _texts("secretName"),
            "configMap": _texts("name"),
            "persistentVolumeClaim": _texts("claimName"),
        }
    ),
}
_TEMPLATE: Final = {"template": {"metadata": {"labels": _LABELS}, "spec": _POD_SPEC}}
_STATE: Final = {
    "waiting": _texts("reason", "message"),
    "running": _texts("startedAt"),
    "terminated": {**_texts("reason", "message", "finishedAt"), **_numbers("exitCode", "signal")},
}
_CONTAINER_STATUS: Final = Many(
    {
        **_texts("name", "image"),
        **_truths("ready", "started"),
        **_numbers("restartCount"),
        "state": _STATE,
        "lastState": _STATE,
    },
    ("name",),
)
_WORKLOAD: Final = {
    "spec": {
        **_numbers("replicas", "progressDeadlineSeconds"),
        **_truths("paused"),
        "selector": {"matchLabels": _LABELS},
        **_TEMPLATE,
    },
    "status": {
        **_numbers("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"),
        **_numbers("observedGeneration"),
        **_CONDITIONS,
    },
}
_BACKEND: Final = {"service": {"name": "text", "port": {"name": "text", "number": "number"}}}
_OPERATION: Final = {
    "sync": {"revision": "text", "resources": Many(_texts("kind", "name"))},
    "initiatedBy": {**_texts("username"), **_truths("automated")},
}
_RESULT: Final = _texts(
    "group", "kind", "namespace", "name", "status", "message", "hookType", "hookPhase", "syncPhase"
)  # fmt: skip

FIELDS: Final[Mapping[str, Mapping[str, Tree]]] = {
    "Pod": {
        "spec": _POD_SPEC,
        "status": {
            **_texts("phase", "reason", "message", "startTime"),
            **_CONDITIONS,
            "containerStatuses": _CONTAINER_STATUS,
            "initContainerStatuses": _CONTAINER_STATUS,
        },
    },
    "Deployment": _WORKLOAD,
    "ReplicaSet": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "Job": {
        "spec": {
            **_numbers(
                "backoffLimit", "backoffLimitPerIndex", "activeDeadlineSeconds", "parallelism"
            ),
            **_truths("suspend"),
            **_TEMPLATE,
        },
        "status": {**_numbers("active", "failed", "succeeded"), "startTime": "text", **_CONDITIONS},
    },
    "CronJob": {
        "spec": {**_texts("schedule", "concurrencyPolicy"), **_truths("suspend")},
        "status": _texts("lastScheduleTime", "lastSuccessfulTime"),
    },
    "Service": {
        "spec": {
            **_texts("type", "externalName", "clusterIP"),
            "selector": _LABELS,
            "ports": Many(
                {**_texts("name", "protocol"), **_numbers("port"), "targetPort": "scalar"}
            ),
        }
    },
    "Ingress": {
        "spec": {
            "ingressClassName": "text",
            "defaultBackend": _BACKEND,
            "rules": Many(
                {
                    "host": "text",
                    "http": {"paths": Many({"path": "text", "backend": _BACKEND})},
                }
            ),
        }
    },
    "IngressClass": {"spec": _texts("controller")},
    "HorizontalPodAutoscaler": {
        "spec": {
            **_numbers("minReplicas", "maxReplicas"),
            "scaleTargetRef": _texts("kind", "name"),
        },
        "status": {**_numbers("currentReplicas", "desiredReplicas"), **_CONDITIONS},
    },
    "PodDisruptionBudget": {
        "spec": {"minAvailable": "scalar", "maxUnavailable": "scalar"},
        "status": _numbers(
            "currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"
        ),
    },
    "PersistentVolumeClaim": {
        "spec": _texts("storageClassName", "volumeName"),
        "status": {"phase": "text", **_CONDITIONS},
    },
    "StorageClass": _texts("provisioner", "volumeBindingMode"),
    "ResourceQuota": {"status": {"hard": _AMOUNTS, "used": _AMOUNTS}},
    "SealedSecret": {"status": {**_numbers("observedGeneration"), **_CONDITIONS}},
    "ExternalSecret": {
        "spec": {"secretStoreRef": _texts("kind", "name"), "target": _texts("name")},
        "status": {**_texts("syncedResourceVersion"), **_CONDITIONS},
    },
    "ServiceAccount": {"imagePullSecrets": Many(_texts("name"), ("name",))},
    "Event": {
        **_texts("type", "reason", "message", "lastTimestamp", "firstTimestamp"),
        **_numbers("count"),
        "involvedObject": _texts("kind", "namespace", "name", "uid", "fieldPath"),
    },
    "Node": {
        "spec": {**_truths("unschedulable"), "taints": Many(_texts("key", "effect"))},
        "status": {
            "nodeInfo": _texts("architecture", "operatingSystem", "kubeletVersion"),
            **_CONDITIONS,
        },
    },
    "Namespace": {"status": {"phase": "text", **_CONDITIONS}},
    "Application": {
        "spec": {
            "destination": _texts("namespace", "name", "server"),
            "source": _texts("path", "targetRevision"),
            "syncPolicy": {"automated": _truths("enabled", "prune", "selfHeal")},
        },
        "operation": _OPERATION,
        "status": {
            "sync": _texts("status", "revision"),
            "health": _texts("status", "message"),
            "conditions": Many(_texts("type", "message", "lastTransitionTime"), ("type",)),
            "resources": Many(
                {
                    **_texts("group", "kind", "namespace", "name", "status"),
                    **_truths("requiresPruning", "hook"),
                    "health": _texts("status", "message"),
                },
                ("kind", "name"),
            ),
            "operationState": {
                **_texts("phase", "message", "startedAt", "finishedAt"),
                **_numbers("retryCount"),
                "operation": _OPERATION,
                "syncResult": {"revision": "text", "resources": Many(_RESULT, ("kind", "name"))},
            },
        },
    },
}
"""Kind → what is kept of it, beside what is kept of every object's metadata."""
_NEEDED: Final[Mapping[str, Mapping[str, dict[str, Any]]]] = {
    "Pod": {"spec": {"containers": []}},
    "Deployment": {"spec": {}},
    "StatefulSet": {"spec": {}},
    "DaemonSet": {"spec": {}},
    "ReplicaSet": {"spec": {}},
    "Job": {"spec": {}},
}
"""Parts that objects of a kind always have; they are added where a server or a file has left them out."""


def kept(item: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any] | None:
    """An object with the fields that are allowed; None for a kind of which nothing is, and for what has no name.

    Args:
        item: The object, complete with its kind.
        redact: Masks secrets in a text.
    """
    kind = item.get("kind")
    tree = FIELDS.get(kind) if isinstance(kind, str) else None
    if tree is None:
        return None
    whole = {"apiVersion": "text", "kind": "text", "metadata": _METADATA, **tree}
    allowed: dict[str, Any] = _below(item, whole, redact)
    if not (allowed.get("metadata") or {}).get("name"):
        return None
    for key, content in _NEEDED.get(str(kind), {}).items():
        allowed[key] = {**content, **(allowed.get(key) or {})}
    return allowed


def _below(value: Any, tree: Tree, redact: Callable[[str], str]) -> Any:
    """What is allowed of a value; None for nothing."""
    if isinstance(tree, str):
        return _leaf(value, tree, redact)
    if isinstance(tree, Many):
        if not isinstance(value, list):
            return None
        entries = (_below(entry, tree.tree, redact) for entry in value[:MOST])
        return [
            entry
            for entry in entries
            if entry is not None and all(key in entry for key in tree.needs)
        ]
    if not isinstance(value, Mapping):
        return None
    allowed = {}
    # Keys are as foreign as values: a mapping of millions of them is not walked through.
    for key in list(value)[: 2 * MOST]:
        below = tree.get(key, tree.get("*")) if isinstance(key, str) else None
        content = _below(value[key], below, redact) if below is not None else None
        if content is not None:
            allowed[key[:LONGEST]] = content
    return allowed


def _leaf(value: Any, leaf: str, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        # The first cut bounds what the redactor reads, the second one what is kept.
        return redact(value[: 4 * LONGEST])[:LONGEST] if leaf in {"text", "scalar"} else None
    # Before numbers, among which Python counts truth values.
    if isinstance(value, bool):
        return value if leaf == "truth" else None
    if isinstance(value, int | float):
        return value if leaf in {"number", "scalar"} else None
    return None
