"""Which release has which object: the one thing that no release shows by itself.

The inspection of a service puts out the claims of its releases; once all of them are there, :func:`clashes` compares
them.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from hanbae.releases import objects

Owner = tuple[str, str]
"""Service and environment."""

Key = tuple[str, str, str, str, str]
"""Cluster, API group, kind, namespace and name."""


class Clash(Struct, frozen=True):
    """An object that two releases claim.

    Attributes:
        object: Kind and name, as shown in messages.
        file: The file that the second claim comes from.
        first: Service and environment of the first.
        second: Service and environment of the second.
    """

    object: str
    file: str
    first: Owner
    second: Owner


class Claim(Struct, frozen=True, array_like=True):
    """An object that a release has.

    Attributes:
        key: Equal for two claims of the same object.
        object: Kind and name, as shown in messages.
        file: The file that it comes from.
        named: Whether it has a name of its own; of a ``generateName`` each creation makes another object.
    """

    key: Key
    object: str
    file: str
    named: bool


def of(
    manifests: Iterable[objects.Object], *, cluster: str, cluster_scoped: frozenset[str]
) -> tuple[Claim, ...]:
    """The claims of a release; what Argo CD never applies, such as Helm's tests, is none.

    Args:
        manifests: The release's objects.
        cluster: The cluster that they are applied to, by any name that tells it from the others.
        cluster_scoped: Kinds that are in no namespace.
    """
    return tuple(
        _claim(manifest, cluster, cluster_scoped)
        for manifest in manifests
        if not manifest.is_ignored
    )


def _claim(manifest: objects.Object, cluster: str, cluster_scoped: frozenset[str]) -> Claim:
    group, _, _ = manifest.api_version.rpartition("/")
    namespace = "" if manifest.kind in cluster_scoped else manifest.namespace
    key = (cluster, group, manifest.kind, namespace, manifest.name)
    return Claim(key, manifest.label, manifest.template, bool(manifest.get("metadata", "name")))


def clashes(claimed: Iterable[tuple[Owner, Iterable[Claim]]]) -> tuple[Clash, ...]:
    """The objects that more than one release claims.

    Args:
        claimed: Each release's claims, in the order of the services' names: of two releases that claim an object the
            later one is at fault.
    """
    owners: dict[Key, Owner] = {}
    twice = []
    for owner, claims in claimed:
        for claim in claims:
            first = owners.setdefault(claim.key, owner)
            if first != owner and claim.named:
                twice.append(Clash(claim.object, claim.file, first, owner))
    return tuple(twice)
