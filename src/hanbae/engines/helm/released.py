"""What Helm has applied last of a release: the manifest in its record, which is what a cluster is held to.

A record is a Secret whose content somebody else may have written: it is decompressed within bounds, and what is no
object is left out. Of the record nothing is read but the manifest, and of that nothing is kept.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import foreign_json, libyaml
from hanbae.clusters import connections, kinds, reading
from hanbae.engines import owning_releases
from hanbae.engines.helm import records
from hanbae.streams import gathering

_LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a record; Kubernetes takes a compressed one of one MiB at most."""
_GZIP: Final = b"\x1f\x8b"
_AT_ONCE: Final = 8
"""Records that are read at once; one has a MiB at most."""
_PAGE: Final = 25
"""Records of one answer."""
_MANY: Final = 12
"""Releases from which on the records are listed instead of each being read by its name."""


class _Content(Struct, frozen=True):
    """What is read of a record."""

    manifest: str = ""


async def objects(
    cluster: connections.Cluster,
    namespace: str,
    releases: Iterable[tuple[str, records.Record]],
) -> dict[str, list[kinds.Object]]:
    """Release → the objects that Helm has applied of it last, each as Helm marks it.

    Args:
        cluster: The cluster of the pods.
        namespace: The namespace of the records.
        releases: Names of releases, each with its record.

    Raises:
        hanbae.errors.Forbidden: Secrets may not be read.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    names = {record.name: release for release, record in releases}
    applied: dict[str, list[kinds.Object]] = {}
    if len(names) >= _MANY:
        selector = f"owner=helm,status={records.DEPLOYED}"
        listed = reading.pages(
            cluster, kinds.SECRET, namespace, label_selector=selector, size=_PAGE
        )
        async for page in listed:
            for secret in page.objects:
                release = names.pop(str(secret["metadata"]["name"]), None)
                if release is not None:
                    applied[release] = _applied(secret, release, namespace)
    places = asyncio.Semaphore(_AT_ONCE)

    async def read(record: str, release: str) -> None:
        async with places:
            secret = await reading.get(cluster, kinds.SECRET, namespace, record)
        applied[release] = _applied(secret or {}, release, namespace)

    # What the list did not contain is read by name; with few releases that is all of them.
    await gathering.whole(read(record, release) for record, release in names.items())
    return applied


def _applied(secret: Mapping[str, Any], release: str, namespace: str) -> list[kinds.Object]:
    """The objects in a record, as Helm marks them."""
    content = foreign_json.below(secret, "data").get("release")
    applied = list(_objects(manifest(content), namespace))
    for item in applied:
        owning_releases.own(item, release=release, namespace=namespace)
    return applied


def manifest(content: Any) -> str:
    """The manifest in a record; empty where there is none that can be read.

    Args:
        content: ``data.release`` of the Secret.
    """
    try:
        # Encoded twice: by Helm, and by Kubernetes as any content of a Secret.
        packed = base64.b64decode(base64.b64decode(content, validate=True), validate=True)
        # Helm also reads uncompressed records, which its first versions wrote.
        if packed.startswith(_GZIP):
            # 31: with a gzip header. Bounded, because one MiB can unpack to a thousand.
            unpacking = zlib.decompressobj(wbits=31)
            data = unpacking.decompress(packed, _LARGEST)
            if unpacking.unconsumed_tail:
                return ""
        else:
            data = packed
        return foreign_json.decode(data, _Content).manifest
    except (TypeError, ValueError, binascii.Error, zlib.error):
        return ""


def _objects(text: str, namespace: str) -> Iterator[kinds.Object]:
    """The objects of a manifest, each with its namespace; those before a fault, if there is one."""
    try:
        for document in libyaml.load_all(text):
            if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
                continue
            metadata = document["metadata"]
            names = document.get("apiVersion"), document.get("kind"), metadata.get("name")
            if all(isinstance(name, str) and name for name in names):
                metadata["namespace"] = str(metadata.get("namespace") or namespace)
                yield document
    except libyaml.Fault:
        return
