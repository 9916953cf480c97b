"""Which Secrets and keys the pods of a release read, and which the release makes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae.releases import external_secrets, needs
from hanbae.rules import views

Way = Literal["variable", "variables", "volume", "pull", "tls"]
Name = tuple[str, str]
"""Namespace and name of a Secret."""

CLASS: Final = "SecretProviderClass"
"""The kind by which the Secrets Store CSI driver is told what to mount, and which Secrets to make of it meanwhile."""
_DRIVER: Final = "secrets-store.csi.k8s.io"


class Read(Struct, frozen=True):
    """One reading of a Secret.

    Attributes:
        secret: The Secret.
        key: The key; None for all of them.
        place: The name of the Secret, or the key, in the object that reads.
        way: As a variable, all keys as variables, as files, for pulling images, or for TLS.
        optional: Whether the pod starts without it.
    """

    secret: Name
    key: str | None
    place: views.On
    way: Way
    optional: bool = False


def arguments(keys: Iterable[str]) -> str:
    """Keys of a Secret as the arguments of a command; ``KEY`` where none is known."""
    return shlex.join(dict.fromkeys(keys)) or "KEY"


def is_own(release: views.Release, manifest: views.Object) -> bool:
    """Whether a manifest makes the service's own Secret, which ``hanbae secrets seal`` writes."""
    return (manifest.namespace, manifest.name) == (release.namespace, release.secret)


def reads(release: views.Release) -> tuple[Read, ...]:
    """Everything that the objects of a release read from Secrets."""
    return release.once(_reads)


def _reads(release: views.Release) -> tuple[Read, ...]:
    return tuple(
        Read((manifest.namespace, name), key, views.On(manifest, pointer), way, optional)
        for manifest in release.objects
        for name, key, pointer, way, optional in manifest.once(_readings)
    )


_Reading = tuple[str, str | None, views.Pointer, Way, bool]
"""A reading as it follows from an object alone: the name of the Secret, then as in :class:`Read`."""


def _readings(manifest: views.Object) -> tuple[_Reading, ...]:
    return tuple(_of_object(manifest))


def _of_object(manifest: views.Object) -> Iterator[_Reading]:
    if manifest.pod is not None:
        yield from _of_pod(manifest, manifest.pod)
    elif manifest.kind == "Ingress":
        for pointer, entry in _mappings(manifest, ("spec", "tls")):
            yield from _read(manifest, entry, (*pointer, "secretName"), "tls")
    elif manifest.kind == "ServiceAccount":
        for pointer, entry in _mappings(manifest, ("imagePullSecrets",)):
            yield from _read(manifest, entry, (*pointer, "name"), "pull")


def _of_pod(manifest: views.Object, pod: views.Pointer) -> Iterator[_Reading]:
    for location, container in manifest.containers():
        if "env" in container or "envFrom" in container:
            yield from _of_container(manifest, location)
    for pointer, volume in _mappings(manifest, (*pod, "volumes")):
        if "secret" in volume:
            yield from _of_volume(manifest, (*pointer, "secret"), "secretName")
        elif "projected" in volume:
            for inner, _ in _mappings(manifest, (*pointer, "projected", "sources")):
                yield from _of_volume(manifest, (*inner, "secret"), "name")
    for pointer, entry in _mappings(manifest, (*pod, "imagePullSecrets")):
        yield from _read(manifest, entry, (*pointer, "name"), "pull")


def _of_container(manifest: views.Object, location: views.Pointer) -> Iterator[_Reading]:
    for pointer, variable in _mappings(manifest, (*location, "env")):
        source = variable.get("valueFrom")
        reference = source.get("secretKeyRef") if isinstance(source, dict) else None
        if isinstance(reference, dict):
            key_reference = (*pointer, "valueFrom", "secretKeyRef")
            yield from _read(
                manifest, reference, (*key_reference, "name"), "variable", (*key_reference, "key")
            )
    for pointer, source in _mappings(manifest, (*location, "envFrom")):
        reference = source.get("secretRef")
        if isinstance(reference, dict):
            yield from _read(manifest, reference, (*pointer, "secretRef", "name"), "variables")


def _of_volume(manifest: views.Object, location: views.Pointer, field: str) -> Iterator[_Reading]:
    volume = manifest.get(*location)
    if not isinstance(volume, dict):
        return
    keys = [(*pointer, "key") for pointer, _ in _mappings(manifest, (*location, "items"))]
    if not keys:
        yield from _read(manifest, volume, (*location, field), "volume")
    for key in keys:
        yield from _read(manifest, volume, (*location, field), "volume", key)


def _read(
    manifest: views.Object,
    reference: dict[str, Any],
    pointer: views.Pointer,
    way: Way,
    key: views.Pointer | None = None,
) -> Iterator[_Reading]:
    name = reference.get(str(pointer[-1]))
    if not isinstance(name, str) or not name:
        return
    key_ = None if key is None else manifest.get(*key)
    if key is not None and not isinstance(key_, str):
        return
    optional = reference.get("optional") is True
    yield name, key_, key or pointer, way, optional


def _mappings(
    manifest: views.Object, pointer: views.Pointer
) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    value = manifest.get(*pointer)
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield (*pointer, index), entry


def producers(release: views.Release) -> dict[Name, list[views.Object]]:
    """The Secrets that a release makes, each with the objects that make it, or add to what others make."""
    return release.once(_producers)


def _producers(release: views.Release) -> dict[Name, list[views.Object]]:
    by_name: dict[Name, list[views.Object]] = {}
    adding: list[tuple[Name, views.Object]] = []
    for manifest in release.objects:
        for name in _names(manifest):
            if adds(manifest):
                adding.append(((manifest.namespace, name), manifest))
            else:
                by_name.setdefault((manifest.namespace, name), []).append(manifest)
    # What only adds to a Secret makes none where nothing else does.
    for where, manifest in adding:
        if where in by_name:
            by_name[where].append(manifest)
    return by_name


def adds(manifest: views.Object) -> bool:
    """Whether an object adds keys to a Secret that something else makes."""
    is_external = manifest.kind == external_secrets.KIND
    return is_external and external_secrets.policy(manifest.data) == "Merge"


def _names(manifest: views.Object) -> Iterator[str]:
    """The Secrets that an object makes."""
    if manifest.kind in {"SealedSecret", "Secret"}:
        yield manifest.name
    elif manifest.kind == "Certificate":
        yield str(manifest.get("spec", "secretName") or manifest.name)
    elif manifest.kind in {external_secrets.KIND, CLASS}:
        yield from (entry.name for entry in needs.makes((manifest,)))


def is_mounted(release: views.Release, manifest: views.Object) -> bool:
    """Whether a pod of a release mounts what a SecretProviderClass names: its Secrets are there only that long."""
    return any(
        manifest.name == attributes.get("secretProviderClass")
        for reader in release.objects
        if reader.pod is not None and reader.namespace == manifest.namespace
        for _, volume in _mappings(reader, (*reader.pod, "volumes"))
        if isinstance(csi := volume.get("csi"), dict)
        and csi.get("driver") == _DRIVER
        and isinstance(attributes := csi.get("volumeAttributes"), dict)
    )


def external(release: views.Release) -> Iterator[views.Object]:
    """The ExternalSecrets of a release that make a Secret or add to one."""
    for manifest in release.of_kind(external_secrets.KIND):
        if external_secrets.policy(manifest.data) != "None":
            yield manifest


def sealed(release: views.Release) -> Sequence[views.Object]:
    """The SealedSecrets of a release."""
    return release.of_kind("SealedSecret")


def ciphertexts(manifest: views.Object) -> dict[str, Any]:
    """The sealed values of a SealedSecret by key."""
    data = manifest.get("spec", "encryptedData")
    return {str(key): value for key, value in data.items()} if isinstance(data, dict) else {}


def keys(makers: Iterable[views.Object], secret: str) -> frozenset[str] | None:
    """The keys of a Secret; None where another operator, or a store, decides them.

    Args:
        makers: The objects that make it.
        secret: Its name.
    """
    names: set[str] = set()
    for maker in makers:
        own = _keys(maker, secret)
        if own is None:
            return None
        names |= own
    return frozenset(names)


def _keys(maker: views.Object, secret: str) -> frozenset[str] | None:
    if maker.kind in {external_secrets.KIND, CLASS}:
        own = [entry.keys for entry in needs.makes((maker,)) if entry.name == secret]
        return None if None in own else frozenset().union(*filter(None, own))
    parts = {
        "SealedSecret": (("spec", "encryptedData"), ("spec", "template", "data")),
        "Secret": (("data",), ("stringData",)),
    }.get(maker.kind)
    if parts is None:
        return None
    sections = (maker.get(*pointer) for pointer in parts)
    return frozenset(str(key) for data in sections if isinstance(data, dict) for key in data)


def place(release: views.Release, manifest: views.Object, key: str) -> views.On | Any:
    """Where a sealed value stands: in the values file, where that is where it comes from; or where a key is named."""
    if manifest.kind == external_secrets.KIND:
        return views.On(manifest, ("spec", "data"))
    value = manifest.get("spec", "encryptedData", key)
    if value is not None and release.value("sealedSecret", "encryptedData", key) == value:
        return release.value_place("sealedSecret", "encryptedData", key)
    return views.On(manifest, ("spec", "encryptedData", key))
