"""Volumes and claims of them (``pkg/apis/core/validation`` of Kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.apis import quantities
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_SOURCES: Final = frozenset(
    {
        "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
        "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk",
        "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
    }
)  # fmt: skip


def claim(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a PersistentVolumeClaim."""
    modes = spec.get("accessModes")
    if not modes:
        yield refusals.missing(pointer, "accessModes", "PersistentVolumeClaim")
    elif isinstance(modes, list) and "ReadWriteOncePod" in modes and len(modes) > 1:
        yield refusals.beside((*pointer, "accessModes"), "ReadWriteOncePod")
    requests = shapes.mapping(shapes.mapping(spec.get("resources")).get("requests"))
    if "storage" not in requests:
        place = (*pointer, "resources", "requests")
        yield refusals.missing(place, "storage", "PersistentVolumeClaim")
    yield from _positive(requests, (*pointer, "resources", "requests"))


def _positive(amounts: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    number = quantities.quantity(amounts.get("storage"))
    if number is not None and number <= 0:
        yield refusals.invalid((*pointer, "storage"), amounts["storage"], "more than 0")


def volume(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a PersistentVolume."""
    sources = [name for name in spec if name in _SOURCES and spec[name] is not None]
    if not sources:
        yield refusals.missing(pointer, "csi", "PersistentVolume")
    for name in sources[1:]:
        yield refusals.beside((*pointer, name), sources[0])
    if "local" in sources and not spec.get("nodeAffinity"):
        yield refusals.missing(pointer, "nodeAffinity", "local")
    yield from _positive(shapes.mapping(spec.get("capacity")), (*pointer, "capacity"))
