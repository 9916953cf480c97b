"""How many pods there are: autoscalers against fixed numbers, and budgets that no node can be drained under."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_HPA: Final = "https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/"
_PDB: Final = "https://kubernetes.io/docs/tasks/run-application/configure-pdb/"
_SCALED: Final = ("Deployment", "StatefulSet", "ReplicaSet", "Rollout")


def _targets(release: views.Release) -> Iterator[tuple[views.Object, views.Object | None]]:
    """Each autoscaler and what it scales; None where the release has no such object."""
    for manifest in release.of_kind("HorizontalPodAutoscaler"):
        target = shapes.mapping(manifest.get("spec", "scaleTargetRef"))
        kind, name = target.get("kind"), target.get("name")
        if isinstance(kind, str) and isinstance(name, str):
            workload = (
                other
                for other in release.of_kind(kind)
                if other.name == name and other.namespace == manifest.namespace
            )
            yield manifest, next(workload, None)


@rulebook.of_release(
    "KUB021",
    "warning",
    source=f"{_HPA}#migrating-deployments-and-statefulsets-to-horizontal-autoscaling",
    essential=True,
)
def both_say_how_many(release: views.Release) -> Iterator[rulebook.Hit]:
    """``replicas`` beside an autoscaler: each sync sets the number back."""
    for autoscaler, target in _targets(release):
        if target is not None and target.get("spec", "replicas") is not None:
            facts = {"object": target.label, "autoscaler": autoscaler.label}
            yield rulebook.Hit(views.On(target, ("spec", "replicas"), key=True), facts)


@rulebook.of_release("KUB022", "error", source=_HPA, essential=True)
def scales_nothing(release: views.Release) -> Iterator[rulebook.Hit]:
    """An autoscaler for what the release does not have, or with bounds that exclude each other."""
    for autoscaler, target in _targets(release):
        if target is None:
            reference = shapes.mapping(autoscaler.get("spec", "scaleTargetRef"))
            facts = {
                "object": autoscaler.label,
                "target": f"{reference['kind']}/{reference['name']}",
            }
            yield rulebook.Hit(
                views.On(autoscaler, ("spec", "scaleTargetRef", "name")), facts, "target"
            )
        least, most = (
            autoscaler.get("spec", "minReplicas", default=1),
            autoscaler.get("spec", "maxReplicas"),
        )
        if isinstance(least, int) and isinstance(most, int) and least > most:
            facts = {"object": autoscaler.label, "least": str(least), "most": str(most)}
            yield rulebook.Hit(views.On(autoscaler, ("spec", "minReplicas")), facts, "bounds")


@rulebook.of_release(
    "KUB023", "error", source=f"{_HPA}#how-does-a-horizontalpodautoscaler-work", essential=True
)
def share_of_nothing(release: views.Release) -> Iterator[rulebook.Hit]:
    """An autoscaler that measures a share of a request which a container does not make: it never scales."""
    for autoscaler, target in _targets(release):
        if target is None:
            continue
        for pointer, name in _shares(autoscaler):
            without = [
                str(container.get("name"))
                for _, container in target.containers(init=False)
                if not _requests(container, name)
            ]
            if without:
                facts = {"object": autoscaler.label, "target": target.label, "resource": name}
                facts["containers"] = ", ".join(without)
                yield rulebook.Hit(views.On(autoscaler, pointer), facts)


def _shares(autoscaler: views.Object) -> Iterator[tuple[views.Pointer, str]]:
    if autoscaler.get("spec", "targetCPUUtilizationPercentage") is not None:
        yield ("spec", "targetCPUUtilizationPercentage"), "cpu"
    for index, metric in shapes.entries(autoscaler.get("spec", "metrics")):
        resource = shapes.mapping(metric.get("resource"))
        share = shapes.mapping(resource.get("target")).get("averageUtilization")
        if metric.get("type") == "Resource" and share is not None:
            yield ("spec", "metrics", index, "resource", "name"), str(resource.get("name"))


def _requests(container: dict[str, Any], name: str) -> bool:
    # A limit without a request is taken as the request as well.
    resources = shapes.mapping(container.get("resources"))
    return any(name in shapes.mapping(resources.get(part)) for part in ("requests", "limits"))


@rulebook.of_release("KUB024", "warning", source=_PDB, essential=True)
def never_drained(release: views.Release) -> Iterator[rulebook.Hit]:
    """A budget that lets no pod go: draining a node for an upgrade hangs."""
    for manifest in release.of_kind("PodDisruptionBudget"):
        spec = shapes.mapping(manifest.get("spec"))
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        # To Python, False equals 0.
        if most in (0, "0%") and most is not False:
            facts = {"object": manifest.label, "value": f"maxUnavailable: {most}"}
            yield rulebook.Hit(views.On(manifest, ("spec", "maxUnavailable")), facts, "none")
        if least == "100%":
            facts = {"object": manifest.label, "value": f"minAvailable: {least}"}
            yield rulebook.Hit(views.On(manifest, ("spec", "minAvailable")), facts, "none")
            continue
        for target in _selected(release, manifest):
            replicas = _replicas(release, target)
            needed = _needed(least, replicas)
            if 0 < replicas <= needed:
                facts = {"object": manifest.label, "target": target.label}
                facts |= {"needed": str(needed), "replicas": str(replicas)}
                yield rulebook.Hit(views.On(manifest, ("spec", "minAvailable")), facts, "all")


@rulebook.of_release("KUB025", "warning", source=_PDB, essential=False)
def guards_nothing(release: views.Release) -> Iterator[rulebook.Hit]:
    """A budget that selects no pods of the release."""
    for manifest in release.of_kind("PodDisruptionBudget"):
        selector = manifest.get("spec", "selector")
        if isinstance(selector, dict) and selector and not list(_selected(release, manifest)):
            yield rulebook.Hit(
                views.On(manifest, ("spec", "selector"), key=True), {"object": manifest.label}
            )


def _selected(release: views.Release, budget: views.Object) -> Iterator[views.Object]:
    selector = budget.get("spec", "selector")
    for manifest in release.of_kind(*_SCALED):
        same = manifest.namespace == budget.namespace
        if same and shapes.selects(selector, shapes.pod_labels(manifest)):
            yield manifest


def _replicas(release: views.Release, workload: views.Object) -> int:
    """The least number of pods that a workload is meant to have."""
    for autoscaler, target in _targets(release):
        if target is workload:
            least = autoscaler.get("spec", "minReplicas", default=1)
            return least if isinstance(least, int) else 1
    replicas = workload.get("spec", "replicas", default=1)
    return replicas if isinstance(replicas, int) else 1


def _needed(least: Any, replicas: int) -> int:
    if isinstance(least, int) and not isinstance(least, bool):
        return least
    if isinstance(least, str) and least.endswith("%") and least[:-1].isdecimal() and len(least) < 5:  # noqa: PLR2004
        # Of the share that a budget wants, Kubernetes rounds the pods up.
        return math.ceil(replicas * int(least[:-1]) / 100)
    return 0
