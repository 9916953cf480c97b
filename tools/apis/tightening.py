"""What the API server refuses although the OpenAPI documents allow it, and the reverse.

Each entry was tried against a real API server; ``tests/api/test_verdicts.py`` holds them.
Only what one field says by itself is here; what depends on other objects is a rule's.
"""

from __future__ import annotations

from typing import Any

_LABEL = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_PORT_NAME = "^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$"
_DATA_KEY = "^[-._a-zA-Z0-9]+$"
_PORT: dict[str, Any] = {"minimum": 1, "maximum": 65535}
_PORT_OR_NAME: dict[str, Any] = {
    "type": ["integer", "string"],
    **_PORT,
    "allOf": [{"pattern": _PORT_NAME}, {"pattern": "[a-z]"}],
}
_NOT_NEGATIVE: dict[str, Any] = {"minimum": 0}
_GIVEN: dict[str, Any] = {"minLength": 1}
_SOME: dict[str, Any] = {"minItems": 1}

_SECONDS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)

_FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    "core.v1.PodSpec": {"containers": _SOME, "terminationGracePeriodSeconds": _NOT_NEGATIVE},
    "core.v1.Container": {"name": {"pattern": _LABEL}},
    "core.v1.ContainerPort": {
        "containerPort": _PORT,
        "hostPort": {"minimum": 0, "maximum": 65535},
        "name": {"allOf": [{"pattern": f"^$|{_PORT_NAME}"}, {"pattern": "^$|[a-z]"}]},
    },
    "core.v1.ServicePort": {
        "port": _PORT,
        "name": {"pattern": f"^$|{_LABEL}"},
        "nodePort": {"minimum": 0, "maximum": 65535},
        # Nothing, 0 and "" all mean the port itself.
        "targetPort": {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": 65535,
            "allOf": [{"pattern": f"^$|{_PORT_NAME}"}, {"pattern": "^$|[a-z]"}],
        },
    },
    "core.v1.HTTPGetAction": {"port": _PORT_OR_NAME},
    "core.v1.TCPSocketAction": {"port": _PORT_OR_NAME},
    "core.v1.GRPCAction": {"port": _PORT},
    "core.v1.Probe": dict.fromkeys(_SECONDS, _NOT_NEGATIVE),
    "core.v1.EnvVar": {"name": {"pattern": "^[ -<>-~]+$"}},
    "core.v1.Volume": {"name": {"pattern": _LABEL}},
    "core.v1.VolumeMount": {"name": _GIVEN, "mountPath": _GIVEN},
    "core.v1.ConfigMapKeySelector": {"key": {"pattern": _DATA_KEY}},
    "core.v1.SecretKeySelector": {"key": {"pattern": _DATA_KEY}},
    "core.v1.ConfigMap": {"data": {"propertyNames": {"pattern": _DATA_KEY, "maxLength": 253}}},
    "core.v1.Secret": {
        "data": {"propertyNames": {"pattern": _DATA_KEY, "maxLength": 253}},
        "stringData": {"propertyNames": {"pattern": _DATA_KEY, "maxLength": 253}},
    },
    "apps.v1.DeploymentSpec": {
        "replicas": _NOT_NEGATIVE,
        "minReadySeconds": _NOT_NEGATIVE,
        "revisionHistoryLimit": _NOT_NEGATIVE,
        "progressDeadlineSeconds": _NOT_NEGATIVE,
    },
    "apps.v1.StatefulSetSpec": {"replicas": _NOT_NEGATIVE},
    "batch.v1.JobSpec": {
        "backoffLimit": _NOT_NEGATIVE,
        "activeDeadlineSeconds": _NOT_NEGATIVE,
        "ttlSecondsAfterFinished": _NOT_NEGATIVE,
        "completions": _NOT_NEGATIVE,
        "parallelism": _NOT_NEGATIVE,
    },
    "batch.v1.CronJobSpec": {"schedule": _GIVEN},
    "autoscaling.v2.HorizontalPodAutoscalerSpec": {
        "maxReplicas": {"minimum": 1},
        "minReplicas": {"minimum": 1},
    },
    "autoscaling.v2.CrossVersionObjectReference": {"kind": _GIVEN, "name": _GIVEN},
    "networking.v1.HTTPIngressRuleValue": {"paths": _SOME},
    "networking.v1.ServiceBackendPort": {"number": {"minimum": 0, "maximum": 65535}},
    "rbac.v1.PolicyRule": {"verbs": _SOME},
    "rbac.v1.RoleRef": {"kind": _GIVEN, "name": _GIVEN},
}
_WHOLE: dict[str, dict[str, Any]] = {
    # Both at once are refused; neither is allowed.
    "policy.v1.PodDisruptionBudgetSpec": {"not": {"required": ["minAvailable", "maxUnavailable"]}},
    "networking.v1.IngressBackend": {
        "oneOf": [{"required": ["service"]}, {"required": ["resource"]}]
    },
    "core.v1.Probe": {
        "oneOf": [{"required": [name]} for name in ("exec", "grpc", "httpGet", "tcpSocket")]
    },
    "networking.v1.ServiceBackendPort": {"minProperties": 1, "maxProperties": 1},
    "core.v1.EnvVarSource": {"minProperties": 1, "maxProperties": 1},
}
_RESTARTS: dict[str, tuple[str, ...]] = {
    "apps.v1.DeploymentSpec": ("", "Always"),
    "apps.v1.StatefulSetSpec": ("", "Always"),
    "apps.v1.DaemonSetSpec": ("", "Always"),
    "apps.v1.ReplicaSetSpec": ("", "Always"),
}
_NOT_REQUIRED: dict[str, tuple[str, ...]] = {
    "rbac.v1.RoleRef": ("apiGroup",),
    "discovery.v1.EndpointSlice": ("endpoints",),
    "scheduling.v1.PriorityClass": ("value",),
    "networking.v1.NetworkPolicySpec": ("podSelector",),
    "apps.v1.StatefulSetSpec": ("serviceName",),
    "apps.v1.ControllerRevision": ("revision",),
    "core.v1.LimitRangeSpec": ("limits",),
}


def tighten(definitions: dict[str, Any]) -> None:
    """Change definitions in place."""
    for name, fields in _FIELDS.items():
        for field, more in fields.items():
            definitions[name]["properties"][field].update(more)
            if "type" in more:
                definitions[name]["properties"][field].pop("$ref", None)
    for name, more in _WHOLE.items():
        definitions[name].update(more)
    for name, names in _NOT_REQUIRED.items():
        kept = [field for field in definitions[name].get("required", []) if field not in names]
        definitions[name]["required"] = kept
    for name, values in _RESTARTS.items():
        definitions[name]["properties"]["template"] |= _restart({"enum": list(values)})
    # A Job's pods need a restart policy that ends: Never or OnFailure, and no default is taken for it.
    once = {"required": ["restartPolicy"]}
    definitions["batch.v1.JobSpec"]["properties"]["template"] |= _restart(
        {"enum": ["Never", "OnFailure"]}, once
    )


def _restart(policy: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    spec = {"properties": {"restartPolicy": policy}, **(more or {})}
    return {"properties": {"spec": spec}}
