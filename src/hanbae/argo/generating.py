"""What Argo CD is told: one AppProject and one ApplicationSet per environment, made from the policy alone.

Decisions, and why:

- The services come from the environment's branch (git generator over the chart folders), never from the checkout in
  which this runs: a service appears in an environment when its chart does.
- Names of folders come from branches and are foreign input. They appear in string fields only, which Argo CD renders
  one by one, so that a name cannot become YAML; the AppProject bounds what such an Application could reach.
- Retries are off everywhere: each would run the migrations again, and Argo CD's default for automated syncs is five.
- ``manifest-generate-paths`` is not set: with self-heal it can turn a new commit into a selective sync, which runs no
  hooks (argoproj/argo-cd#22795).
- Environments with manual sync never lose anything by a mistake in git: their set creates and updates Applications
  but deletes none, and resources stay when the set itself is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hanbae.policy import documents, environments, labels, naming

Thing = dict[str, Any]

IN_CLUSTER: Final = "https://kubernetes.default.svc"

_API: Final = "argoproj.io/v1alpha1"
_AUTOMATED: Final = {"prune": True, "selfHeal": True}
# No chart needs to grant rights or to change the limits that hold it; and a Secret in git is a secret in clear.
_REFUSED_KINDS: Final = (
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "Secret"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)
# What a service is made of, and what Kubernetes makes of that: Argo CD shows children of these kinds only. Whatever
# else a team uses, such as ServiceMonitor, its policy names.
_KINDS: Final = (
    "ConfigMap",
    "PersistentVolumeClaim",
    "Pod",
    "Service",
    "ServiceAccount",
    "apps/ControllerRevision",
    "apps/DaemonSet",
    "apps/Deployment",
    "apps/ReplicaSet",
    "apps/StatefulSet",
    "autoscaling/HorizontalPodAutoscaler",
    "batch/CronJob",
    "batch/Job",
    "bitnami.com/SealedSecret",
    "gateway.networking.k8s.io/GRPCRoute",
    "gateway.networking.k8s.io/HTTPRoute",
    "networking.k8s.io/Ingress",
    "networking.k8s.io/NetworkPolicy",
    "policy/PodDisruptionBudget",
)


def project(policy: documents.Policy, environment: str) -> Thing:
    """The AppProject of an environment: this repository, the namespaces of services, the kinds of a service."""
    where = _server(policy, environment)
    return {
        "apiVersion": _API,
        "kind": "AppProject",
        "metadata": _metadata(policy, environment, naming.project(policy, environment)),
        "spec": {
            "description": f"{policy.argocd.project}: {environment}",
            "sourceRepos": [policy.argocd.repository],
            "destinations": [
                {**where, "namespace": name} for name in namespaces(policy, environment)
            ],
            "clusterResourceWhitelist": [],
            "namespaceResourceWhitelist": [
                _kind(name) for name in sorted({*_KINDS, *policy.argocd.kinds})
            ],
            "namespaceResourceBlacklist": [
                {"group": group, "kind": kind} for group, kind in _REFUSED_KINDS
            ],
        },
    }


def _kind(name: str) -> Thing:
    group, _, kind = name.rpartition("/")
    return {"group": group, "kind": kind}


def application(
    policy: documents.Policy, service: str, environment: str, *, migrates: bool = True
) -> Thing:
    """The Application that the environment's set makes of a service: what to compare a cluster with.

    Args:
        policy: The policy.
        service: Name of the service.
        environment: Name of an environment on Kubernetes.
        migrates: Whether ``migration.enabled`` is true in the service's values; it matters only where
            ``database_changes`` is ``manual``.

    Returns:
        ``metadata`` (name, namespace, labels, finalizers) and ``spec``; Argo CD adds the rest.
    """
    manifest = _template(
        policy, environment, service, naming.namespace(policy, service, environment)
    )
    settings = policy.environments[environment]
    by_hand = settings.database_changes == "manual" and migrates
    if settings.sync == "auto" and not by_hand:
        manifest["spec"]["syncPolicy"]["automated"] = dict(_AUTOMATED)
    manifest["metadata"]["namespace"] = policy.argocd.namespace
    manifest["spec"]["syncPolicy"][
        "retry"
    ] = {}  # its limit of 0 is a zero value, which Argo CD leaves out
    if settings.sync == "auto":  # the controller adds it, unless the set preserves resources
        manifest["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    return {"apiVersion": _API, "kind": "Application", **manifest}


def application_set(policy: documents.Policy, environment: str) -> Thing:
    """The ApplicationSet of an environment."""
    settings = policy.environments[environment]
    template = _template(policy, environment, _service(policy), _namespace(policy, environment))
    selective = settings.sync == "auto" and settings.database_changes == "manual"
    if settings.sync == "auto" and not selective:
        template["spec"]["syncPolicy"]["automated"] = dict(_AUTOMATED)
    # The files generator reads the values too, which tells whether a service migrates. It is not the default,
    # because one values file that is no YAML keeps it from seeing any service.
    chart = policy.services.path
    generator = (
        {"files": [{"path": f"{chart}/{_values(policy, environment)}"}]}
        if selective
        else {"directories": [{"path": chart}]}
    )
    source = {"repoURL": policy.argocd.repository, "revision": f"refs/heads/{settings.branch}"}
    spec: Thing = {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [{"git": {**source, **generator}}],
        "syncPolicy": _keeping(settings),
        "template": template,
    }
    if selective:
        spec["templatePatch"] = _PATCH
    return {
        "apiVersion": _API,
        "kind": "ApplicationSet",
        "metadata": _metadata(policy, environment, naming.application_set(policy, environment)),
        "spec": spec,
    }


_PATCH: Final = """\
{{- $migration := get . "migration" }}
{{- $migrates := true }}
{{- if kindIs "map" $migration }}{{ $migrates = ne (toJson (get $migration "enabled")) "false" }}{{ end }}
{{- if $migrates }}
{}
{{- else }}
spec:
  syncPolicy:
    automated: {prune: true, selfHeal: true}
{{- end }}
"""
"""Automation for services that say ``migration.enabled: false``, and for no other: a doubt costs a click."""


def _template(
    policy: documents.Policy, environment: str, service: str, namespace: str
) -> dict[str, Any]:
    """An Application without automation; the same for a real service and for the set's expressions."""
    settings = policy.environments[environment]
    return {
        "metadata": {
            "name": naming.application(service, environment),
            "labels": {**_labels(environment), labels.SERVICE: service},
        },
        "spec": {
            "project": naming.project(policy, environment),
            "source": {
                "repoURL": policy.argocd.repository,
                "targetRevision": f"refs/heads/{settings.branch}",
                "path": str(naming.chart(policy, service)),
                "helm": {
                    "releaseName": naming.release(policy, service),
                    "valueFiles": [_values(policy, environment)],
                },
            },
            "destination": {**_server(policy, environment), "namespace": namespace},
            "syncPolicy": {
                "retry": {"limit": 0},
                "syncOptions": [
                    "ServerSideApply=true",
                    "CreateNamespace=false",
                    "FailOnSharedResource=true",
                    "PruneLast=true",
                ],
            },
        },
    }


def _service(policy: documents.Policy) -> str:
    """The expression for a service's name: the part of the chart's path that the policy's ``*`` stands for."""
    return f"{{{{ index .path.segments {policy.services.path.split('/').index('*')} }}}}"


def _namespace(policy: documents.Policy, environment: str) -> str:
    """The expression for a service's namespace; a plain name unless a service has a namespace of its own."""
    default = naming.suffixed(policy, policy.services.namespace, environment)
    part = _service(policy).strip("{} ")
    branches = []
    for name, space in policy.namespaces.items():
        if space.services:
            services = " ".join(json.dumps(service) for service in space.services)
            suffixed = naming.suffixed(policy, name, environment)
            branches.append(f"eq ({part}) {services} }}}}{suffixed}")
    if not branches:
        return default
    chain = "{{ else if ".join(branches)
    return f"{{{{ if {chain}{{{{ else }}}}{default}{{{{ end }}}}"


def namespaces(policy: documents.Policy, environment: str) -> list[str]:
    """Every namespace that a service of this environment may live in."""
    own = [name for name, space in policy.namespaces.items() if space.services]
    names = dict.fromkeys([policy.services.namespace, *own])
    return [naming.suffixed(policy, name, environment) for name in names]


def _values(policy: documents.Policy, environment: str) -> str:
    return naming.values_file(policy, "x", environment).name


def _server(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The destination cluster: Argo CD's own, or one that it knows by its context's name."""
    settings = policy.environments[environment]
    context = environments.workload(settings)
    if context is not None and environments.is_hub(settings):
        return {"name": context}
    return {"server": IN_CLUSTER}


def _keeping(settings: documents.Environment) -> Mapping[str, Any]:
    """What happens when a service leaves the branch, or the set is deleted."""
    if settings.sync == "auto":
        return {"applicationsSync": "sync", "preserveResourcesOnDeletion": False}
    return {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}


def _metadata(policy: documents.Policy, environment: str, name: str) -> Thing:
    return {"name": name, "namespace": policy.argocd.namespace, "labels": _labels(environment)}


def _labels(environment: str) -> dict[str, str]:
    return {labels.MANAGED_BY: labels.HANBAE, labels.ENVIRONMENT: environment}
