"""Probes: whether traffic waits for a pod, and whether the kubelet kills a pod that is only slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_PROBES: Final = (
    "https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"
)
_SERVED: Final = ("Deployment", "StatefulSet", "DaemonSet")
_HANDLERS: Final = ("httpGet", "tcpSocket", "grpc", "exec")
_SLOW_START: Final = 30
"""Seconds that a start may take on a busy node, image and caches cold."""


@rulebook.of_release("KUB008", "warning", source=_PROBES, essential=False)
def not_ready(release: views.Release) -> Iterator[rulebook.Hit]:
    """A container behind a Service without a readiness probe: requests reach it before it listens."""
    selectors = [
        selector
        for manifest in release.of_kind("Service")
        if (selector := shapes.mapping(manifest.get("spec", "selector")))
    ]
    for manifest in release.of_kind(*_SERVED):
        labels = shapes.pod_labels(manifest)
        if not any(shapes.contains(labels, selector) for selector in selectors):
            continue
        for pointer, container in manifest.containers(init=False):
            if container.get("ports") and not container.get("readinessProbe"):
                facts = {"object": manifest.label, "container": str(container.get("name"))}
                yield rulebook.Hit(views.On(manifest, pointer), facts)


@rulebook.of_release("KUB009", "warning", source=_PROBES, essential=False)
def killed_with_readiness(release: views.Release) -> Iterator[rulebook.Hit]:
    """A liveness probe that asks what the readiness probe asks and gives up no later: overload becomes restarts."""
    for manifest in release.of_kind(*_SERVED):
        for pointer, container in manifest.containers(init=False):
            live = shapes.mapping(container.get("livenessProbe"))
            ready = shapes.mapping(container.get("readinessProbe"))
            if (
                live
                and _asks(live)
                and _asks(live) == _asks(ready)
                and _lasts(live) <= _lasts(ready)
            ):
                facts = {"object": manifest.label, "container": str(container.get("name"))}
                yield rulebook.Hit(views.On(manifest, (*pointer, "livenessProbe")), facts)


@rulebook.of_release("KUB010", "warning", source=_PROBES, essential=False)
def killed_while_starting(release: views.Release) -> Iterator[rulebook.Hit]:
    """A liveness probe that kills a container whose start takes longer than a moment."""
    for manifest in release.of_kind(*_SERVED):
        for pointer, container in manifest.containers(init=False):
            live = shapes.mapping(container.get("livenessProbe"))
            if not live or container.get("startupProbe"):
                continue
            seconds = shapes.number(live.get("initialDelaySeconds"), 0) + _lasts(live)
            if seconds < _SLOW_START:
                facts = {"object": manifest.label, "container": str(container.get("name"))}
                facts["seconds"] = f"{seconds:g}"
                yield rulebook.Hit(views.On(manifest, (*pointer, "livenessProbe")), facts)


def _asks(probe: dict[str, Any]) -> dict[str, Any]:
    return {name: probe[name] for name in _HANDLERS if probe.get(name)}


def _lasts(probe: dict[str, Any]) -> float:
    """Seconds of failure until it gives up."""
    # Zero and nothing are both the default.
    period = shapes.number(probe.get("periodSeconds"), 0) or 10
    return period * (shapes.number(probe.get("failureThreshold"), 0) or 3)
