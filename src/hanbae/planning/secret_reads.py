"""Which Secrets the pods of a rendered service cannot start without, and which keys the same objects make.

Written for objects of any shape: what Kubernetes would refuse is another check's finding, and left out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae.planning import forecasting, scheduling
from hanbae.releases import external_secrets

_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "SealedSecret": (("spec", "encryptedData"), ("spec", "template", "data")),
    "Secret": (("data",), ("stringData",)),
}
"""Kind that makes a Secret → where its keys are."""


class Read(Struct, frozen=True):
    """A Secret that a pod reads.

    Attributes:
        secret: Name of the Secret, in the namespace of the release.
        key: The key; empty for all of them.
        reader: What has the pod, as ``Kind/name``.
    """

    secret: str
    key: str
    reader: str


def of(objects: Iterable[Mapping[str, Any]]) -> tuple[Read, ...]:
    """What the containers of the objects read as variables; what is optional is left out."""
    reads: dict[tuple[str, str], Read] = {}
    for manifest in objects:
        reader = f"{manifest.get('kind')}/{scheduling.reference(manifest, '').name}"
        for container in forecasting.containers(manifest):
            for secret, key in _of_container(container):
                reads.setdefault((secret, key), Read(secret, key, reader))
    return tuple(reads.values())


def produced_keys(objects: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str] | None]:
    """Secret → keys that the objects make; None where only a store knows them."""
    keys: dict[str, frozenset[str] | None] = {}
    for manifest in objects:
        for name, own in _produced(manifest):
            before = keys.get(name, frozenset())
            # Several objects may make one Secret together, such as an ExternalSecret that merges into it.
            keys[name] = None if own is None or before is None else before | own
    return keys


def _produced(manifest: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str] | None]]:
    if manifest.get("kind") == external_secrets.KIND:
        if external_secrets.policy(manifest) != "None":
            yield external_secrets.secret(manifest), external_secrets.keys(manifest)
        return
    name = scheduling.reference(manifest, "").name
    for pointer in _KEYS.get(str(manifest.get("kind")), ()):
        yield name, frozenset(map(str, _mapping(manifest, pointer)))


def _of_container(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable in _mappings(container.get("env")):
        reference = _mapping(variable, ("valueFrom", "secretKeyRef"))
        name, key = reference.get("name"), reference.get("key")
        if isinstance(name, str) and isinstance(key, str) and reference.get("optional") is not True:
            yield name, key
    for source in _mappings(container.get("envFrom")):
        reference = _mapping(source, ("secretRef",))
        name = reference.get("name")
        if isinstance(name, str) and reference.get("optional") is not True:
            yield name, ""


def _mapping(manifest: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """The mapping at a path, or an empty one."""
    current: Any = manifest
    for part in path:
        current = current.get(part) if isinstance(current, Mapping) else None
    return current if isinstance(current, Mapping) else {}


def _mappings(entries: Any) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield entry
