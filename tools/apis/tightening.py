"""What the API server refuses although the OpenAPI documents allow it, and the reverse.

Each entry was tried against a real API server; ``tests/api/test_verdicts.py`` holds them.
Only what one field says by itself is here; what depends on other objects is a rule's.
"""

from __future__ import annotations

from typing import Any

_LABEL = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_PORT_NAME = "^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$"
_DATA_KEY = "^[-._a-zA-Z0-9]+$"
_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"^{_DNS}(\.{_DNS})*$"
_WILDCARD = rf"^$|^(\*\.)?{_DNS}(\.{_DNS})*$"
_DOMAIN_OF_THREE = rf"^{_DNS}(\.{_DNS}){{2,}}$"
_QUALIFIED = rf"^({_DNS}(\.{_DNS})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
_LABEL_VALUE = "^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$"
_SHARE = "^[0-9]+%$"
_SHARE_OF_ALL = "^0*(100|[0-9]{1,2})%$"
_OF_PODS = (
    r"^(metadata\.(name|namespace|uid)|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
    r"|metadata\.(labels|annotations)\['.+'\])$"
)
_OF_FILES = r"^metadata\.((name|namespace|uid|labels|annotations)|(labels|annotations)\['.+'\])$"
_PORT: dict[str, Any] = {"minimum": 1, "maximum": 65535}
_PORT_OR_NAME: dict[str, Any] = {
    "type": ["integer", "string"],
    **_PORT,
    "allOf": [{"pattern": _PORT_NAME}, {"pattern": "[a-z]"}],
}
_NOT_NEGATIVE: dict[str, Any] = {"minimum": 0}
_NOT_EMPTY: dict[str, Any] = {"minLength": 1}
_SOME: dict[str, Any] = {"minItems": 1}

_ID: dict[str, Any] = {"minimum": 0, "maximum": 2**31 - 1}
_MODE: dict[str, Any] = {"minimum": 0, "maximum": 0o777}
_WEIGHT: dict[str, Any] = {"minimum": 1, "maximum": 100}
_NUMBER_OF_PODS: dict[str, Any] = {
    "type": ["integer", "string"],
    "minimum": 0,
    "pattern": _SHARE,
}
_NAME: dict[str, Any] = {"pattern": _SUBDOMAIN}
_NAME_OR_NONE: dict[str, Any] = {"pattern": f"^$|{_SUBDOMAIN}"}
_LABEL_OR_NONE: dict[str, Any] = {"pattern": f"^$|{_LABEL}"}
_QUALIFIED_OR_NONE: dict[str, Any] = {"pattern": f"^$|{_QUALIFIED}"}
_LABELS: dict[str, Any] = {
    "propertyNames": {"pattern": _QUALIFIED},
    "additionalProperties": {"type": "string", "pattern": _LABEL_VALUE},
}
_WEBHOOK: dict[str, dict[str, Any]] = {
    "name": {"pattern": _DOMAIN_OF_THREE},
    "sideEffects": {"enum": ["None", "NoneOnDryRun"]},
    "admissionReviewVersions": {"contains": {"enum": ["v1", "v1beta1"]}},
    "timeoutSeconds": {"minimum": 1, "maximum": 30},
}

_SECONDS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)

_FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    "core.v1.PodSpec": {
        "containers": _SOME,
        "hostname": _LABEL_OR_NONE,
        "subdomain": _LABEL_OR_NONE,
        "priorityClassName": _NAME_OR_NONE,
        "runtimeClassName": _NAME_OR_NONE,
        "serviceAccountName": _NAME_OR_NONE,
        "activeDeadlineSeconds": {"minimum": 1},
        "nodeSelector": _LABELS,
    },
    "core.v1.Container": {"name": {"pattern": _LABEL}},
    "core.v1.ContainerResizePolicy": {
        "resourceName": {"enum": ["cpu", "memory"]},
        "restartPolicy": {"enum": ["NotRequired", "RestartContainer"]},
    },
    "core.v1.ExecAction": {"command": _SOME},
    "core.v1.HostAlias": {"ip": {"pattern": "^[0-9A-Fa-f:.]+$"}},
    "core.v1.PodDNSConfigOption": {"name": _NOT_EMPTY},
    "core.v1.PodAffinityTerm": {"topologyKey": _NOT_EMPTY},
    "core.v1.WeightedPodAffinityTerm": {"weight": _WEIGHT},
    "core.v1.PreferredSchedulingTerm": {"weight": _WEIGHT},
    "core.v1.NodeSelector": {"nodeSelectorTerms": _SOME},
    "core.v1.Toleration": {"key": _QUALIFIED_OR_NONE},
    "core.v1.PodSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), _ID),
    "core.v1.SecurityContext": dict.fromkeys(("runAsUser", "runAsGroup"), _ID),
    "core.v1.ObjectFieldSelector": {"fieldPath": _NOT_EMPTY},
    "core.v1.ResourceFieldSelector": {
        "resource": {"pattern": r"^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$"}
    },
    "core.v1.SecretEnvSource": {"name": _NAME},
    "core.v1.ConfigMapEnvSource": {"name": _NAME},
    "core.v1.HostPathVolumeSource": {"path": _NOT_EMPTY},
    "core.v1.ConfigMapVolumeSource": {"name": _NOT_EMPTY, "defaultMode": _MODE},
    "core.v1.SecretVolumeSource": {"secretName": _NOT_EMPTY, "defaultMode": _MODE},
    "core.v1.ProjectedVolumeSource": {"defaultMode": _MODE},
    "core.v1.DownwardAPIVolumeSource": {"defaultMode": _MODE},
    "core.v1.KeyToPath": {
        "key": {"pattern": _DATA_KEY},
        "path": {"pattern": "^[^/]"},
        "mode": _MODE,
    },
    "core.v1.PersistentVolumeClaimVolumeSource": {"claimName": _NOT_EMPTY},
    "core.v1.ServiceAccountTokenProjection": {"expirationSeconds": {"minimum": 600}},
    "core.v1.NFSVolumeSource": {"path": {"pattern": "^/"}},
    "core.v1.ClientIPConfig": {"timeoutSeconds": {"minimum": 1, "maximum": 86400}},
    "core.v1.ServiceSpec": {
        "clusterIP": {"pattern": "^$|^None$|^[0-9A-Fa-f:.]+$"},
        "loadBalancerClass": _QUALIFIED_OR_NONE,
        "externalIPs": {"items": {"type": "string", "pattern": "^[0-9A-Fa-f:.]+$"}},
        "trafficDistribution": {"enum": ["", "PreferClose", "PreferSameNode", "PreferSameZone"]},
    },
    "core.v1.PersistentVolumeClaimSpec": {"storageClassName": _NAME_OR_NONE},
    "core.v1.PersistentVolumeSpec": {"accessModes": _SOME, "storageClassName": _NAME_OR_NONE},
    "apps.v1.RollingUpdateDeployment": {
        "maxSurge": _NUMBER_OF_PODS,
        "maxUnavailable": _NUMBER_OF_PODS,
    },
    "apps.v1.RollingUpdateDaemonSet": {
        "maxSurge": _NUMBER_OF_PODS,
        "maxUnavailable": _NUMBER_OF_PODS,
    },
    "apps.v1.DaemonSetSpec": {"minReadySeconds": _NOT_NEGATIVE},
    "apps.v1.ReplicaSetSpec": {"replicas": _NOT_NEGATIVE},
    "apps.v1.StatefulSetOrdinals": {"start": _NOT_NEGATIVE},
    "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy": {
        "whenDeleted": {"enum": ["", "Delete", "Retain"]},
        "whenScaled": {"enum": ["", "Delete", "Retain"]},
    },
    "policy.v1.PodDisruptionBudgetSpec": {
        "maxUnavailable": {**_NUMBER_OF_PODS, "pattern": _SHARE_OF_ALL},
        "minAvailable": {**_NUMBER_OF_PODS, "pattern": _SHARE_OF_ALL},
    },
    "meta.v1.LabelSelector": {"matchLabels": _LABELS},
    "meta.v1.LabelSelectorRequirement": {
        "operator": {"enum": ["DoesNotExist", "Exists", "In", "NotIn"]}
    },
    "autoscaling.v2.HPAScalingRules": {
        "stabilizationWindowSeconds": {"minimum": 0, "maximum": 3600},
        "policies": _SOME,
        "selectPolicy": {"enum": ["Disabled", "Max", "Min"]},
    },
    "autoscaling.v2.HPAScalingPolicy": {
        "type": {"enum": ["Percent", "Pods"]},
        "value": {"minimum": 1},
        "periodSeconds": {"minimum": 1, "maximum": 1800},
    },
    "autoscaling.v2.ResourceMetricSource": {"name": _NOT_EMPTY},
    "autoscaling.v2.MetricIdentifier": {"name": _NOT_EMPTY},
    "networking.v1.IngressServiceBackend": {"name": {"pattern": _LABEL}},
    "networking.v1.IngressRule": {"host": {"pattern": _WILDCARD}},
    "networking.v1.IngressTLS": {
        "hosts": {"items": {"type": "string", "pattern": _WILDCARD.removeprefix("^$|")}},
        "secretName": _NAME_OR_NONE,
    },
    "networking.v1.IngressSpec": {"ingressClassName": _NAME},
    "networking.v1.IngressClassSpec": {"controller": {"pattern": f"^{_DNS}(\\.{_DNS})*/[^ ]+$"}},
    "networking.v1.NetworkPolicyPort": {"port": _PORT_OR_NAME},
    "networking.v1.NetworkPolicySpec": {"policyTypes": {"maxItems": 2}},
    "rbac.v1.Subject": {
        "kind": {"enum": ["Group", "ServiceAccount", "User"]},
        "name": _NOT_EMPTY,
    },
    "storage.v1.StorageClass": {
        "provisioner": _NOT_EMPTY,
        "reclaimPolicy": {"enum": ["", "Delete", "Retain"]},
    },
    "scheduling.v1.PriorityClass": {
        "preemptionPolicy": {"enum": ["", "Never", "PreemptLowerPriority"]}
    },
    "admissionregistration.v1.MutatingWebhook": _WEBHOOK,
    "admissionregistration.v1.ValidatingWebhook": _WEBHOOK,
    "admissionregistration.v1.WebhookClientConfig": {"url": {"pattern": "^https://"}},
    "admissionregistration.v1.ServiceReference": {"path": {"pattern": "^/"}},
    "admissionregistration.v1.RuleWithOperations": {
        "scope": {"enum": ["", "*", "Cluster", "Namespaced"]}
    },
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
    "core.v1.VolumeMount": {"name": _NOT_EMPTY, "mountPath": _NOT_EMPTY},
    "core.v1.ConfigMapKeySelector": {"key": {"pattern": _DATA_KEY}, "name": _NAME},
    "core.v1.SecretKeySelector": {"key": {"pattern": _DATA_KEY}, "name": _NAME},
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
    "apps.v1.StatefulSetSpec": {
        "replicas": _NOT_NEGATIVE,
        "minReadySeconds": _NOT_NEGATIVE,
        "serviceName": _NAME_OR_NONE,
    },
    "batch.v1.JobSpec": {
        "backoffLimit": _NOT_NEGATIVE,
        "activeDeadlineSeconds": _NOT_NEGATIVE,
        "ttlSecondsAfterFinished": _NOT_NEGATIVE,
        "completions": _NOT_NEGATIVE,
        "parallelism": _NOT_NEGATIVE,
    },
    "batch.v1.CronJobSpec": {"schedule": _NOT_EMPTY},
    "autoscaling.v2.HorizontalPodAutoscalerSpec": {
        "maxReplicas": {"minimum": 1},
        "minReplicas": {"minimum": 1},
    },
    "autoscaling.v2.CrossVersionObjectReference": {"kind": _NOT_EMPTY, "name": _NOT_EMPTY},
    "networking.v1.HTTPIngressRuleValue": {"paths": _SOME},
    "networking.v1.ServiceBackendPort": {
        "number": {"minimum": 0, "maximum": 65535},
        "name": {"allOf": [{"pattern": f"^$|{_PORT_NAME}"}, {"pattern": "^$|[a-z]"}]},
    },
    "rbac.v1.PolicyRule": {"verbs": _SOME},
    "rbac.v1.RoleRef": {
        "apiGroup": {"enum": ["", "rbac.authorization.k8s.io"]},
        "kind": {"enum": ["ClusterRole", "Role"]},
        "name": {"pattern": "^[^/%]+$"},
    },
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
    "core.v1.EnvFromSource": {
        "oneOf": [{"required": ["configMapRef"]}, {"required": ["secretRef"]}]
    },
    "core.v1.LifecycleHandler": {
        "oneOf": [{"required": [name]} for name in ("exec", "httpGet", "sleep", "tcpSocket")]
    },
    "networking.v1.NetworkPolicyPeer": {"minProperties": 1},
    "admissionregistration.v1.WebhookClientConfig": {
        "oneOf": [{"required": ["url"]}, {"required": ["service"]}]
    },
}
_REQUIRED: dict[str, tuple[str, ...]] = {
    "core.v1.ConfigMapKeySelector": ("name",),
    "core.v1.SecretKeySelector": ("name",),
    "core.v1.ConfigMapEnvSource": ("name",),
    "core.v1.SecretEnvSource": ("name",),
    "core.v1.ConfigMapVolumeSource": ("name",),
    "core.v1.SecretVolumeSource": ("secretName",),
    "core.v1.ExecAction": ("command",),
    "core.v1.PodDNSConfigOption": ("name",),
    "core.v1.PersistentVolumeSpec": ("accessModes", "capacity"),
    "networking.v1.IngressServiceBackend": ("port",),
}
_WITHIN: dict[tuple[str, str], dict[str, Any]] = {
    ("core.v1.EnvVarSource", "fieldRef"): {"fieldPath": {"pattern": _OF_PODS}},
    ("core.v1.DownwardAPIVolumeFile", "fieldRef"): {"fieldPath": {"pattern": _OF_FILES}},
    ("rbac.v1.ClusterRoleBinding", "roleRef"): {"kind": {"enum": ["ClusterRole"]}},
}
"""Definition and field → what its own fields may hold there, and elsewhere more."""
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
    for name, names in _REQUIRED.items():
        required = definitions[name].get("required", [])
        definitions[name]["required"] = sorted({*required, *names})
    for (name, field), fields in _WITHIN.items():
        definitions[name]["properties"][field]["properties"] = fields
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
