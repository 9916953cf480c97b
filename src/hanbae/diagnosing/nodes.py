"""Nodes that do not work, and namespaces that are on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.diagnosing import pictures

_PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure")


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all nodes and namespaces of the picture."""
    for ref, node in picture.of("Node"):
        describe = ("kubectl", "describe", "node", ref.name)
        ready = pictures.condition(node, "Ready")
        facts = {"node": ref.name, "message": str(ready.get("message") or "")}
        # `Unknown` as well: the node controller writes it where a kubelet is silent.
        if ready.get("status") != "True":
            yield pictures.cause(ref, "diagnosis.node-not-ready", facts, describe, fatal=False)
        for kind in _PRESSURES:
            pressure = pictures.condition(node, kind)
            if pressure.get("status") == "True":
                facts = {
                    "node": ref.name,
                    "pressure": kind,
                    "message": str(pressure.get("message") or ""),
                }
                yield pictures.cause(ref, "diagnosis.node-pressure", facts, describe, fatal=False)
        if pictures.condition(node, "NetworkUnavailable").get("status") == "True":
            yield pictures.cause(ref, "diagnosis.node-network", facts, describe, fatal=False)
        if (node.get("spec") or {}).get("unschedulable"):
            command: tuple[str, ...] = ("kubectl", "uncordon", ref.name)
            yield pictures.cause(ref, "diagnosis.cordoned", facts, command, fatal=False)
    for ref, namespace in picture.of("Namespace"):
        if (namespace.get("status") or {}).get("phase") != "Terminating":
            continue
        remaining = [
            str(pictures.condition(namespace, kind).get("message"))
            for kind in ("NamespaceFinalizersRemaining", "NamespaceContentRemaining")
            if pictures.condition(namespace, kind).get("status") == "True"
        ]
        facts = {"namespace": ref.name, "message": "; ".join(remaining) or "-"}
        command = ("kubectl", "get", "namespace", ref.name, "-o", "yaml")
        yield pictures.cause(ref, "diagnosis.namespace-leaving", facts, command, fatal=True)
