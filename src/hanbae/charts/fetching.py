"""Finds and fetches the charts that a chart depends on, as Helm's downloader does, for whoever may write to the cache.

What a repository or a registry says is foreign: bounded, checked against the digests that they announce, and opened by
nobody but the disposable process (:mod:`hanbae.charts.choosing`). Nothing is unpacked anywhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
from msgspec import Struct

from hanbae import errors, foreign_json, subjects
from hanbae.charts import (
    choosing,
    declared,
    dependency_cache,
    helm_settings,
    pools,
    repository_index,
    web,
)
from hanbae.images import references, registry

_OCI: Final = "oci://"
_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
# The second is the media type of Helm's early support for registries, which Helm still pulls.
_LAYERS: Final = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")


class Archive(Struct, frozen=True):
    """A version of a dependency, and where its archive is.

    Attributes:
        version: The version, as its repository writes it.
        url: Where the archive is.
        digest: SHA-256 of the archive, as its repository says it; empty where it does not.
    """

    version: str
    url: str
    digest: str = ""


class Fetching:
    """What is known while dependencies are fetched: each index is read once. Made by :func:`opened`."""

    def __init__(self, pool: pools.Pool, connections: web.Web) -> None:
        self._pool = pool
        self._web = connections
        self._indexes: dict[str, bytes] = {}

    async def find(
        self, dependency: declared.Dependency, place: subjects.Place, *, locked: str = ""
    ) -> Archive:
        """The version of a dependency that Helm takes.

        Args:
            dependency: The dependency, with the address of its repository.
            place: Where it is declared, for faults.
            locked: Exactly the version that a lock names; empty for the newest that is wanted.

        Raises:
            hanbae.errors.FileFault: There is none, or what is wanted is no range of versions.
            hanbae.errors.Error: The repository does not say; see :meth:`hanbae.charts.web.Web.fetch`.
        """
        version = locked or dependency.version
        if dependency.origin == "oci":
            return await self._in_registry(dependency, place, version, locked=bool(locked))
        if dependency.origin != "https":
            raise errors.FileFault(
                "dependencies.no-repository", place=place, name=dependency.name,
                repository=dependency.repository or "-",
            )  # fmt: skip
        versions = await self._versions(dependency, place)
        texts = tuple(listed.version for listed in versions)
        choice = await self._choose(dependency, place, texts, version, locked=bool(locked))
        entry = versions[choice.index]
        # Helm takes the first address of a version, too.
        url = _joined(dependency.repository, entry.urls[0], place)
        return Archive(choice.version, url, entry.digest)

    async def fetch(
        self, dependency: declared.Dependency, source: Archive, place: subjects.Place
    ) -> str:
        """Fetch an archive into the cache, once it is known to be what it should be.

        Args:
            dependency: The dependency.
            source: The version, and where it is.
            place: Where it is declared, for faults.

        Returns:
            Its digest: ``sha256:…``.

        Raises:
            hanbae.errors.FileFault: There is no archive, or another one than was announced.
            hanbae.errors.Error: The repository does not answer, or not well; or nothing can be kept.
        """
        if source.url.startswith(_OCI):
            archive = await self._pulled(source, place)
        else:
            content = await self._web.fetch(
                dependency.repository, source.url, most=dependency_cache.LARGEST
            )
            if content is None:
                raise self._none(dependency, place, source.version)
            archive = content
        digest = hashlib.sha256(archive).hexdigest()
        if source.digest and source.digest != digest:
            facts = {"announced": source.digest, "digest": digest}
            raise errors.FileFault(
                "dependencies.other-digest",
                place=place,
                name=dependency.name,
                version=source.version,
                **facts,
            )
        packed = await choosing.packed(self._pool, archive, chart=posixpath.dirname(place.file))
        if packed.error:
            raise errors.FileFault(
                "dependencies.bad-archive", place=place, name=dependency.name, version=source.version,
                reason=packed.error,
            )  # fmt: skip
        same = packed.version.removeprefix("v") == source.version.removeprefix("v")
        if packed.name != dependency.name or not same:
            raise errors.FileFault(
                "dependencies.other-chart", place=place, name=dependency.name, version=source.version,
                found=f"{packed.name} {packed.version}"[:200],
            )  # fmt: skip
        return dependency_cache.put(dependency.repository, dependency.name, source.version, archive)

    async def _versions(
        self, dependency: declared.Dependency, place: subjects.Place
    ) -> tuple[repository_index.Version, ...]:
        """The versions that a repository has, without those that it has no archive of."""
        address = dependency.repository
        if address not in self._indexes:
            url = _joined(address, "index.yaml", place)
            data = await self._web.fetch(address, url, most=repository_index.LARGEST)
            if data is None:
                raise errors.FileFault("dependencies.no-index", place=place, repository=address)
            self._indexes[address] = data
        try:
            # An index of tens of megabytes would hold up everything else in this process for seconds.
            versions_by_name = await asyncio.to_thread(
                repository_index.versions, self._indexes[address], (dependency.name,)
            )
        except repository_index.Fault as fault:
            raise errors.FileFault(
                "dependencies.bad-index", place=place, repository=address, reason=str(fault)[:300]
            ) from None
        versions = versions_by_name.get(dependency.name)
        if versions is None:
            raise self._none(dependency, place, dependency.version)
        return tuple(version for version in versions if version.urls)

    async def _in_registry(
        self, dependency: declared.Dependency, place: subjects.Place, version: str, *, locked: bool
    ) -> Archive:
        """A version of a chart in a registry: what is a version already is not looked for."""
        wish = choosing.Wish(version, (version,))
        if locked or (await choosing.choose(self._pool, wish, chart=dependency.name)).index == 0:
            return Archive(version, f"{dependency.repository}/{dependency.name}:{version}")
        reference = _reference(f"{dependency.repository}/{dependency.name}", place)
        host = reference.host
        async with registry.connect(host, helm_settings.login(host)) as connected:
            tags = await connected.tags(reference)
        choice = await self._choose(
            dependency, place, tuple(tags or ()), version, locked=False, tags=True
        )
        return Archive(
            choice.version, f"{dependency.repository}/{dependency.name}:{choice.version}"
        )

    async def _choose(
        self,
        dependency: declared.Dependency,
        place: subjects.Place,
        versions: tuple[str, ...],
        version: str,
        *,
        locked: bool,
        tags: bool = False,
    ) -> choosing.Choice:
        wish = choosing.Wish(version, versions, locked=locked, tags=tags)
        choice = await choosing.choose(self._pool, wish, chart=posixpath.dirname(place.file))
        if choice.error:
            raise errors.FileFault(
                "dependencies.bad-range", place=place, name=dependency.name, version=version or "-"
            )
        if choice.index < 0:
            raise self._none(dependency, place, version)
        return choice

    async def _pulled(self, source: Archive, place: subjects.Place) -> bytes:
        """A chart from a registry, checked against its digest there."""
        address, _, version = source.url.rpartition(":")
        # A tag may not have the `+` of a version; Helm writes `_` for it.
        reference = _reference(f"{address}:{version.replace('+', '_')}", place)
        host = reference.host
        async with registry.connect(host, helm_settings.login(host)) as connected:
            manifest = await connected.manifest(reference)
            layer = _layer(manifest.content()) if manifest is not None else None
            if layer is None:
                raise errors.FileFault(
                    "dependencies.no-chart-in", place=place, reference=str(reference)
                )
            digest, size = layer
            archive = bytearray()
            async with connected.blob(reference, digest, size) as chunks:
                async for chunk in chunks:
                    archive += chunk
        return bytes(archive)

    @staticmethod
    def _none(
        dependency: declared.Dependency, place: subjects.Place, version: str
    ) -> errors.FileFault:
        return errors.FileFault(
            "dependencies.none", place=place, name=dependency.name, version=version or "-",
            repository=dependency.repository,
        )  # fmt: skip


@asynccontextmanager
async def opened(pool: pools.Pool) -> AsyncIterator[Fetching]:
    """What fetches, with connections that are closed with the scope.

    Args:
        pool: Asks what Helm makes of versions and archives.

    Raises:
        hanbae.errors.FileFault: What the user's Helm knows of repositories cannot be read.
    """
    async with web.opened() as connections:
        yield Fetching(pool, connections)


def _layer(manifest: dict[str, Any]) -> tuple[str, int] | None:
    """Digest and size of the archive in a chart's manifest; None where it is no chart's, or larger than any."""
    if foreign_json.below(manifest, "config").get("mediaType") != _CONFIG:
        return None
    for layer in foreign_json.mappings(manifest.get("layers")):
        size = layer.get("size")
        if layer.get("mediaType") in _LAYERS and isinstance(size, int):
            return (
                (str(layer.get("digest")), size) if 0 < size <= dependency_cache.LARGEST else None
            )
    return None


def _reference(address: str, place: subjects.Place) -> references.Reference:
    host, slash, path = address.removeprefix(_OCI).partition("/")
    try:
        return references.parse(f"{helm_settings.registry_host(host)}{slash}{path}")
    except errors.WrongUse:
        raise errors.FileFault(
            "dependencies.no-reference", place=place, reference=address[:200]
        ) from None


def _joined(repository: str, reference: str, place: subjects.Place) -> str:
    """Where something of a repository is: what its index says is often relative to its address.

    A query of the address is kept, as Helm keeps it.
    """
    if reference.startswith(_OCI):
        return reference
    try:
        base = httpx2.URL(repository)
        # Without the slash, joining would replace the last part of the path.
        folder = base.copy_with(path=base.path.rstrip("/") + "/", query=None)
        joined = folder.join(reference)
        relative = "://" not in reference
        return str(joined.copy_with(query=base.query) if relative and base.query else joined)
    except httpx2.InvalidURL:
        raise errors.FileFault(
            "dependencies.no-repository", place=place, name="-", repository=repository[:200]
        ) from None
