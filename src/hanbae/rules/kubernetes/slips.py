"""What the API server takes and the kubelet cannot use: units and names that say something else than was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_MEMORY: Final = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-memory"
_PROBES: Final = (
    "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe"
)
_BYTES: Final = ("memory", "ephemeral-storage")
_HANDLERS: Final = ("httpGet", "tcpSocket")


@rulebook.of_release("KUB035", "warning", source=_MEMORY, essential=True)
def memory_in_thousandths(release: views.Release) -> Iterator[rulebook.Hit]:
    """An amount of bytes with the suffix ``m``, which is a thousandth of one."""
    for manifest in release.objects:
        for pointer, container in manifest.containers():
            for kind in ("requests", "limits"):
                amounts = shapes.mapping(shapes.mapping(container.get("resources")).get(kind))
                for name in _BYTES:
                    amount = amounts.get(name)
                    if isinstance(amount, str) and amount.endswith("m"):
                        facts = {"resource": f"{kind}.{name}", "value": amount}
                        on = views.On(manifest, (*pointer, "resources", kind, name))
                        yield rulebook.Hit(on, _about(manifest, container) | facts)


@rulebook.of_release("KUB036", "error", source=_PROBES, essential=True)
def probe_of_no_port(release: views.Release) -> Iterator[rulebook.Hit]:
    """A probe, or a hook of the container's life, that asks a port by a name which its container does not have."""
    for manifest in release.objects:
        for pointer, container in manifest.containers():
            for place, action in _requests(container):
                name = action.get("port")
                if not isinstance(name, str) or name.isdecimal():
                    continue
                ports = [
                    port["name"]
                    for _, port in shapes.entries(container.get("ports"))
                    if isinstance(port.get("name"), str)
                ]
                if name not in ports:
                    facts = {"probe": place[0], "port": name, "ports": ", ".join(ports) or "-"}
                    on = views.On(manifest, (*pointer, *place, "port"))
                    yield rulebook.Hit(on, _about(manifest, container) | facts)


def _requests(container: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """What the kubelet sends to the container by itself, and where that is said."""
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        for handler, action in _actions(container.get(name)):
            yield (name, handler), action
    lifecycle = shapes.mapping(container.get("lifecycle"))
    for name in ("postStart", "preStop"):
        for handler, action in _actions(lifecycle.get(name)):
            yield ("lifecycle", name, handler), action


def _actions(asking: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(asking, dict):
        for handler in _HANDLERS:
            if isinstance(action := asking.get(handler), dict):
                yield handler, action


def _about(manifest: views.Object, container: dict[str, Any]) -> dict[str, str]:
    return {"object": manifest.label, "container": str(container.get("name"))}
