"""Which Secrets and keys the pods of a release read, and which the release makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae.rules import views

Way = Literal["variable", "variables", "volume", "pull", "tls"]
Name = tuple[str, str]
"""Namespace and name of a Secret."""

_MAKERS: Final = {
    "Certificate": ("spec", "secretName"),
    "ExternalSecret": ("spec", "target", "name"),
}
"""Kinds of other operators that make a Secret → where its name is; else its own."""


class Read(Struct, frozen=True):
    """One reading of a Secret.

    Attributes:
        secret: The Secret.
        key: The key; None for all of them.
        at: The name of the Secret, or the key, in the object that reads.
        way: As a variable, all keys as variables, as files, for pulling images, or for TLS.
        optional: Whether the pod starts without it.
    """

    secret: Name
    key: str | None
    at: views.On
    way: Way
    optional: bool = False


def reads(release: views.Release) -> tuple[Read, ...]:
    """Everything that the objects of a release read from Secrets."""
    return release.once(_reads)


def _reads(release: views.Release) -> tuple[Read, ...]:
    return tuple(_found(release))


def _found(release: views.Release) -> Iterator[Read]:
    for each in release.objects:
        if each.pod is not None:
            yield from _of_pod(each, each.pod)
        elif each.kind == "Ingress":
            for pointer, entry in _mappings(each, ("spec", "tls")):
                yield from _read(each, entry, (*pointer, "secretName"), "tls")
        elif each.kind == "ServiceAccount":
            for pointer, entry in _mappings(each, ("imagePullSecrets",)):
                yield from _read(each, entry, (*pointer, "name"), "pull")


def _of_pod(each: views.Object, pod: views.Pointer) -> Iterator[Read]:
    for at, container in each.containers():
        if "env" in container or "envFrom" in container:
            yield from _of_container(each, at)
    for pointer, volume in _mappings(each, (*pod, "volumes")):
        if "secret" in volume:
            yield from _of_volume(each, (*pointer, "secret"), "secretName")
        elif "projected" in volume:
            for inner, _ in _mappings(each, (*pointer, "projected", "sources")):
                yield from _of_volume(each, (*inner, "secret"), "name")
    for pointer, entry in _mappings(each, (*pod, "imagePullSecrets")):
        yield from _read(each, entry, (*pointer, "name"), "pull")


def _of_container(each: views.Object, at: views.Pointer) -> Iterator[Read]:
    for pointer, variable in _mappings(each, (*at, "env")):
        source = variable.get("valueFrom")
        reference = source.get("secretKeyRef") if isinstance(source, dict) else None
        if isinstance(reference, dict):
            here = (*pointer, "valueFrom", "secretKeyRef")
            yield from _read(each, reference, (*here, "name"), "variable", (*here, "key"))
    for pointer, source in _mappings(each, (*at, "envFrom")):
        reference = source.get("secretRef")
        if isinstance(reference, dict):
            yield from _read(each, reference, (*pointer, "secretRef", "name"), "variables")


def _of_volume(each: views.Object, at: views.Pointer, field: str) -> Iterator[Read]:
    volume = each.get(*at)
    if not isinstance(volume, dict):
        return
    keys = [(*pointer, "key") for pointer, _ in _mappings(each, (*at, "items"))]
    if not keys:
        yield from _read(each, volume, (*at, field), "volume")
    for key in keys:
        yield from _read(each, volume, (*at, field), "volume", key)


def _read(
    each: views.Object,
    reference: dict[str, Any],
    at: views.Pointer,
    way: Way,
    key: views.Pointer | None = None,
) -> Iterator[Read]:
    name = reference.get(str(at[-1]))
    if not isinstance(name, str) or not name:
        return
    wanted = None if key is None else each.get(*key)
    if key is not None and not isinstance(wanted, str):
        return
    optional = reference.get("optional") is True
    yield Read((each.namespace, name), wanted, views.On(each, key or at), way, optional)


def _mappings(
    each: views.Object, at: views.Pointer
) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    found = each.get(*at)
    for index, entry in enumerate(found if isinstance(found, list) else ()):
        if isinstance(entry, dict):
            yield (*at, index), entry


def made(release: views.Release) -> dict[Name, list[views.Object]]:
    """The Secrets that a release makes, each with the objects that make it."""
    found: dict[Name, list[views.Object]] = {}
    for each in release.objects:
        if each.kind in {"SealedSecret", "Secret"}:
            name: Any = each.name
        elif each.kind in _MAKERS:
            name = each.get(*_MAKERS[each.kind]) or each.name
        else:
            continue
        found.setdefault((each.namespace, str(name)), []).append(each)
    return found


def sealed(release: views.Release) -> Iterator[views.Object]:
    """The SealedSecrets of a release."""
    return release.of_kind("SealedSecret")


def ciphertexts(each: views.Object) -> dict[str, Any]:
    """The sealed values of a SealedSecret by key."""
    found = each.get("spec", "encryptedData")
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def keys(makers: list[views.Object]) -> frozenset[str] | None:
    """The keys of a Secret; None where another operator decides them."""
    found: set[str] = set()
    for each in makers:
        parts = {
            "SealedSecret": (("spec", "encryptedData"), ("spec", "template", "data")),
            "Secret": (("data",), ("stringData",)),
        }.get(each.kind)
        if parts is None:
            return None
        for pointer in parts:
            data = each.get(*pointer)
            found |= {str(key) for key in data} if isinstance(data, dict) else set()
    return frozenset(found)


def place(release: views.Release, each: views.Object, key: str) -> views.On | Any:
    """Where a sealed value stands: in the values file, where that is where it comes from."""
    value = each.get("spec", "encryptedData", key)
    if value is not None and release.value("sealedSecret", "encryptedData", key) == value:
        return release.value_place("sealedSecret", "encryptedData", key)
    return views.On(each, ("spec", "encryptedData", key))
