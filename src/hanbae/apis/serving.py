"""Which kinds a minor version of Kubernetes serves, which are going or gone, and what ``.Capabilities`` lists."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

_DATA: Final = Path(__file__).parent / "data"


class Cluster(Struct, frozen=True):
    """What a workload cluster says of itself, and Argo CD passes on to Helm.

    Attributes:
        version: Its version, such as ``v1.35.4``.
        api_versions: ``group/version`` and ``group/version/Kind`` of all that it serves.
    """

    version: str
    api_versions: tuple[str, ...]


class Kind(Struct, frozen=True, array_like=True):
    """A kind of one API version.

    Attributes:
        definition: Name of its definition.
        namespaced: Whether its objects are in namespaces.
        served: Whether an API server serves it without being asked to: alpha and beta ones are not.
        watched: Whether it can be listed and watched: what Argo CD looks for.
    """

    definition: str
    namespaced: bool
    served: bool
    watched: bool


class Life(Struct, frozen=True, array_like=True):
    """How an API version of a kind ends.

    Attributes:
        deprecated: Minor version since which the API server warns.
        removed: Minor version that serves it no more; None while that is open.
        replacement: ``group/version/Kind`` to use instead; None for none.
    """

    deprecated: str
    removed: str | None
    replacement: str | None


class Version(Struct, frozen=True):
    """A minor version.

    Attributes:
        names: Name of a definition → its place in `Data.definitions`.
        kinds: ``group/version/Kind`` → kind.
    """

    names: dict[str, int]
    kinds: dict[str, Kind]


class Data(Struct, frozen=True):
    """The file.

    Attributes:
        definitions: JSON Schemas, each once although most versions share it, not decoded yet.
        versions: Minor version → what it has.
        lives: ``group/version/Kind`` → how it ends.
    """

    definitions: tuple[msgspec.Raw, ...]
    versions: dict[str, Version]
    lives: dict[str, Life]


def read(name: str) -> bytes:
    """A file of the package's data, uncompressed."""
    # Not by importlib.resources, which has all that reads archives with it.
    return zlib.decompress((_DATA / f"{name}.json.z").read_bytes())


@cache
def data() -> Data:
    """What is known of Kubernetes, read once."""
    return msgspec.json.decode(read("kubernetes"), type=Data)


def number(version: str) -> tuple[int, ...]:
    """A minor version in a form that compares."""
    return tuple(int(part) for part in version.split("."))


@cache
def nearest(version: str) -> str:
    """The version whose schemas stand for another's: itself, else the newest before it, else the oldest."""
    versions = sorted(data().versions, key=number)
    return next(
        (candidate for candidate in reversed(versions) if number(candidate) <= number(version)),
        versions[0],
    )


def kind(version: str, api_version: str, name: str) -> Kind | None:
    """A kind as a version has it; None where it has not."""
    return data().versions[nearest(version)].kinds.get(f"{api_version}/{name}")


def life(api_version: str, name: str) -> Life | None:
    """How an API version of a kind ends; None while it is neither deprecated nor gone."""
    return data().lives.get(f"{api_version}/{name}")


@cache
def versions_of(version: str, name: str) -> tuple[str, ...]:
    """The API versions in which a version serves a kind of this name."""
    kinds = data().versions[nearest(version)].kinds
    return tuple(
        full.rpartition("/")[0]
        for full, served in kinds.items()
        if served.served and full.rpartition("/")[2] == name
    )


@cache
def names(version: str) -> frozenset[str]:
    """The names of all kinds that a version serves."""
    kinds = data().versions[nearest(version)].kinds
    return frozenset(full.rpartition("/")[2] for full, served in kinds.items() if served.served)


@cache
def cluster_scoped() -> frozenset[str]:
    """The names of kinds that are in no namespace, in any version."""
    kinds = {
        full.rpartition("/")[2]
        for version in data().versions.values()
        for full, served in version.kinds.items()
        if not served.namespaced
    }
    # A kind of the Gateway API, which is not among Kubernetes' own.
    return frozenset(kinds | {"GatewayClass"})


@cache
def api_versions(version: str) -> tuple[str, ...]:
    """What Argo CD passes to Helm as ``--api-versions``: each version and each kind that can be listed and watched.

    Sealed Secrets is among them, because a cluster of the policy has it.
    """
    served = {
        full
        for full, kind in data().versions[nearest(version)].kinds.items()
        if kind.served and kind.watched
    }
    served.add("bitnami.com/v1alpha1/SealedSecret")
    return tuple(sorted(served | {full.rpartition("/")[0] for full in served}))


def listed(names: Iterable[str]) -> tuple[str, ...]:
    """API versions and kinds as a cluster lists them: whoever has ``group/version/Kind`` has ``group/version``."""
    kinds = frozenset(names)
    versions = {name.rpartition("/")[0] for name in kinds if name.count("/") > 1}
    return tuple(sorted(kinds | versions))


@cache
def custom() -> Mapping[str, Any]:
    """``group/version/Kind`` → what is known of a kind of Argo CD, Sealed Secrets or the Gateway API."""
    kinds: Mapping[str, Any] = msgspec.json.decode(read("crds"), type=dict[str, dict[str, Any]])[
        "kinds"
    ]
    return kinds
