"""Deployments and their like: whose pods are whose, and how they are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_DEPLOYMENTS: Final = "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/"
_WITH_SELECTOR: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


@rulebook.of_release(
    "KUB015",
    "warning",
    source="https://kubernetes.io/docs/concepts/security/service-accounts/",
    essential=True,
)
def no_account(release: views.Release) -> Iterator[rulebook.Hit]:
    """A service account that the release does not have: no pod is created until somebody else makes it."""
    accounts = {manifest.name for manifest in release.of_kind("ServiceAccount")}
    for manifest in release.objects:
        if manifest.pod is None:
            continue
        name = manifest.get(*manifest.pod, "serviceAccountName")
        if isinstance(name, str) and name not in {"", "default", *accounts}:
            on = views.On(manifest, (*manifest.pod, "serviceAccountName"))
            yield rulebook.Hit(on, {"object": manifest.label, "name": name})


@rulebook.of_release("KUB018", "warning", source=f"{_DEPLOYMENTS}#strategy", essential=False)
def all_at_once(release: views.Release) -> Iterator[rulebook.Hit]:
    """A rollout that stops all pods before new ones are ready."""
    for manifest in release.of_kind("Deployment"):
        strategy = shapes.mapping(manifest.get("spec", "strategy"))
        if strategy.get("type") == "Recreate":
            on = views.On(manifest, ("spec", "strategy", "type"))
            yield rulebook.Hit(on, {"object": manifest.label}, "recreate")
        most = shapes.mapping(strategy.get("rollingUpdate")).get("maxUnavailable")
        replicas = manifest.get("spec", "replicas", default=1)
        whole = isinstance(most, int) and isinstance(replicas, int) and most >= replicas > 0
        if most == "100%" or whole:
            on = views.On(manifest, ("spec", "strategy", "rollingUpdate", "maxUnavailable"))
            yield rulebook.Hit(on, {"object": manifest.label, "value": str(most)}, "unavailable")


@rulebook.of_release("KUB019", "error", source=f"{_DEPLOYMENTS}#selector", essential=True)
def not_its_own(release: views.Release) -> Iterator[rulebook.Hit]:
    """A selector that does not select the pods of its own template: the API server refuses it."""
    for manifest in release.of_kind(*_WITH_SELECTOR):
        selector = manifest.get("spec", "selector")
        if isinstance(selector, dict) and not shapes.selects(selector, shapes.pod_labels(manifest)):
            on = views.On(manifest, ("spec", "selector"), key=True)
            yield rulebook.Hit(on, {"object": manifest.label})


@rulebook.of_release("KUB020", "error", source=f"{_DEPLOYMENTS}#selector", essential=True)
def whose_pods(release: views.Release) -> Iterator[rulebook.Hit]:
    """Two workloads of which one selects the other's pods: their controllers fight over them."""
    workloads = list(release.of_kind(*_WITH_SELECTOR))
    if len(workloads) < 2:  # noqa: PLR2004  two make a pair
        return
    for workload in workloads:
        selector = workload.get("spec", "selector")
        for other in workloads:
            if other is workload or other.namespace != workload.namespace:
                continue
            if shapes.selects(selector, shapes.pod_labels(other)):
                on = views.On(workload, ("spec", "selector"), key=True)
                yield rulebook.Hit(on, {"object": workload.label, "other": other.label})
                break
