"""KUB034: what the API server refuses because fields of one object do not go together.

The schemas (KUB001, KUB002) judge each field alone. This is the second half of what the API server checks, for the
kinds that charts bring: ``pkg/apis/*/validation`` of Kubernetes 1.35. ``tests/api/test_validation.py`` holds each
sentence against a real API server.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import (
    objects,
    pods,
    refusals,
    rights,
    scaling,
    selectors,
    volumes,
    workloads,
)

_OF_SPEC: Final[Mapping[str, refusals.Validation]] = {
    "CronJob": workloads.cron_job,
    "DaemonSet": workloads.daemon_set,
    "Deployment": workloads.deployment,
    "HorizontalPodAutoscaler": scaling.autoscaler,
    "Ingress": objects.ingress,
    "Job": workloads.job,
    "NetworkPolicy": objects.network_policy,
    "PersistentVolume": volumes.volume,
    "PersistentVolumeClaim": volumes.claim,
    "Service": objects.service,
    "StatefulSet": workloads.stateful_set,
}
_OF_WHOLE: Final[Mapping[str, refusals.Validation]] = {
    "ClusterRole": rights.cluster_role,
    "ClusterRoleBinding": rights.cluster_binding,
    "ConfigMap": objects.config_map,
    "Ingress": objects.ingress_class,
    "Role": rights.role,
    "RoleBinding": rights.binding,
    "Secret": objects.secret,
}
_LASTING: Final = ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
# Kinds of other groups may have the same names: a Service of serving.knative.dev is not the one
# that is meant here.
_BUILT_IN: Final = (
    "",
    "apps",
    "batch",
    "autoscaling",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "admissionregistration.k8s.io",
)


@rulebook.of_release(
    "KUB034",
    "error",
    source="https://github.com/kubernetes/kubernetes/tree/v1.35.4/pkg/apis/core/validation",
    essential=True,
)
def fields_do_not_go_together(release: views.Release) -> Iterator[rulebook.Hit]:
    """Fields that exclude, repeat or need each other."""
    for manifest in release.objects:
        for refusal in manifest.once(_first_refusals):
            facts = {"object": manifest.label, **refusal.facts}
            yield rulebook.Hit(views.On(manifest, refusal.pointer), facts, refusal.variant)


def _first_refusals(manifest: views.Object) -> tuple[refusals.Refusal, ...]:
    return tuple(itertools.islice(_refusals(manifest), refusals.MOST))


def _refusals(manifest: views.Object) -> refusals.Refusals:
    group = manifest.api_version.rpartition("/")[0]
    if group not in _BUILT_IN:
        return
    if manifest.pod is not None:
        yield from pods.pod(shapes.mapping(manifest.get(*manifest.pod)), manifest.pod)
    if manifest.kind in _OF_SPEC:
        yield from _OF_SPEC[manifest.kind](shapes.mapping(manifest.get("spec")), ("spec",))
    if manifest.kind in _LASTING:
        yield from workloads.lasting(shapes.mapping(manifest.get("spec")), ("spec",))
    if manifest.kind in _OF_WHOLE:
        yield from _OF_WHOLE[manifest.kind](manifest.data, ())
    yield from selectors.expressions(manifest)
    if manifest.kind == "StatefulSet":
        for index, claim in shapes.entries(manifest.get("spec", "volumeClaimTemplates")):
            place = ("spec", "volumeClaimTemplates", index, "spec")
            yield from volumes.claim(shapes.mapping(claim.get("spec")), place)
