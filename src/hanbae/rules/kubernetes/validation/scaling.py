"""What scales pods (``pkg/apis/autoscaling/validation`` of Kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.apis import quantities
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_METRICS: Final = {
    "Resource": "resource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "ContainerResource": "containerResource",
}
_TARGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "Resource": ("averageUtilization", "averageValue"),
    "ContainerResource": ("averageUtilization", "averageValue"),
    "Pods": ("averageValue",),
    "Object": ("averageValue", "value"),
    "External": ("averageValue", "value"),
}
"""What of a target a kind of metric is held against: one of these, whatever the target's type says."""


def autoscaler(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a HorizontalPodAutoscaler of ``autoscaling/v2``."""
    for index, metric in shapes.entries(spec.get("metrics")):
        place = (*pointer, "metrics", index)
        kind = str(metric.get("type"))
        own = _METRICS.get(kind)
        if own is None:
            yield refusals.invalid((*place, "type"), kind, ", ".join(_METRICS))
            continue
        if metric.get(own) is None:
            yield refusals.missing(place, own, f"type: {kind}")
        for name in _METRICS.values():
            if name != own and metric.get(name) is not None:
                yield refusals.beside((*place, name), f"type: {kind}")
        target = shapes.mapping(shapes.mapping(metric.get(own)).get("target"))
        if metric.get(own) is not None:
            yield from _target(kind, target, (*place, own, "target"))


def _target(kind: str, target: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    names = _TARGETS[kind]
    if all(target.get(name) is None for name in names):
        yield refusals.missing(pointer, " / ".join(names), f"type: {kind}")
    share = target.get("averageUtilization")
    if isinstance(share, int) and share < 1:
        yield refusals.invalid((*pointer, "averageUtilization"), share, "1 or more")
    for name in ("averageValue", "value"):
        number = quantities.quantity(target.get(name))
        if number is not None and number <= 0:
            yield refusals.invalid((*pointer, name), target[name], "more than 0")
    yield from refusals.exclusive(target, pointer, *names)
