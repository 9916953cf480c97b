"""OCI images made in Python, because neither the demo nor the sandbox may need a Docker daemon.

An image is a few tars and two JSON documents; writing them takes a second, needs no privileges, and the same
input always gives the same digest, so that pushing twice uploads nothing.
Layers are uncompressed: they travel over one machine's memory, where gzip would be the slowest part.

Sources: OCI image-spec 1.1 (`manifest.md`, `config.md`, `layer.md`, `image-layout.md`); containerd reads the image's
name from the annotation ``io.containerd.image.name`` of the index.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from hanbae import files

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"
_INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class File:
    """One entry of a layer.

    Attributes:
        path: Absolute path in the image, such as ``/usr/local/bin/goose``; its folders are made.
        content: The file's bytes, a file to read them from, or None for a folder.
        mode: Permission bits.
        owner: Numeric uid and gid.
        link: Target when the entry is a symbolic link; `content` is ignored then.
    """

    path: str
    content: bytes | Path | None = None
    mode: int = 0o644
    owner: int = 0
    link: str = ""


@dataclass(frozen=True)
class Layer:
    """One tar of an image.

    Attributes:
        data: The uncompressed tar.
        digest: ``sha256:…`` of `data`; for an uncompressed layer also its diff id.
        media_type: What the manifest calls it.
    """

    data: bytes = field(repr=False)
    digest: str
    media_type: str = LAYER_TYPE

    @property
    def size(self) -> int:
        """Bytes of `data`."""
        return len(self.data)


@dataclass(frozen=True)
class Image:
    """A complete image: what a registry wants uploaded, and what containerd imports.

    Attributes:
        manifest: The manifest, exactly the bytes that `digest` is over.
        config: The configuration blob.
        layers: From the bottom up.
        platform: The index's description, such as ``{"os": "linux", "architecture": "amd64"}``.
    """

    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    layers: tuple[Layer, ...]
    platform: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The image's digest, as in ``repository@sha256:…``."""
        return digest_of(self.manifest)

    @property
    def config_digest(self) -> str:
        """The configuration blob's digest."""
        return digest_of(self.config)

    def blobs(self) -> Iterator[tuple[str, bytes]]:
        """Digest and bytes of everything that the manifest refers to, layers first."""
        for layer in self.layers:
            yield layer.digest, layer.data
        yield self.config_digest, self.config


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The algorithm, as references name it, and the hexadecimal digest: ``sha256:…``."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def architecture() -> str:
    """This machine's architecture in the registries' spelling, such as ``amd64``."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def layer(files: Iterable[File]) -> Layer:
    """A layer with these files, in the order of their paths, with no times in it.

    Args:
        files: The entries; missing parent folders are added as root's, mode 755. The last of two entries for one
            path wins.

    Raises:
        ValueError: A path is not absolute or leaves the image.
    """
    entries = {_inside(file.path): file for file in files}
    for path in list(entries):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                entries.setdefault(str(parent), File(f"/{parent}", mode=0o755))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        # In this order a folder comes before what is in it.
        for path in sorted(entries):
            _add(tar, path, entries[path])
    data = buffer.getvalue()
    return Layer(data, digest_of(data))


def image(
    layers: Sequence[Layer],
    config: Mapping[str, Any],
    *,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An image of these layers for this machine's architecture.

    Args:
        layers: From the bottom up.
        config: The ``config`` object of the OCI configuration: ``Entrypoint``, ``Cmd``, ``Env``, ``User``,
            ``WorkingDir``, ``Labels`` …
        annotations: For the manifest.
    """
    where = {"os": "linux", "architecture": architecture()}
    described = {
        **where,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created_by": "hanbae"} for _ in layers],
    }
    encoded = _encode(described)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, encoded),
        "layers": [
            {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}
            for layer in layers
        ],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(_encode(manifest), encoded, tuple(layers), where)


def write_tar(image: Image, name: str, path: Path) -> None:
    """Write an OCI layout tar that ``ctr images import`` takes; atomic.

    Args:
        image: The image.
        name: Full name, such as ``hanbae.local/pause:1``.
        path: The file to write; an existing one is replaced.
    """
    index = {
        "schemaVersion": 2,
        "mediaType": _INDEX_TYPE,
        "manifests": [
            {
                **_descriptor(MANIFEST_TYPE, image.manifest),
                "platform": dict(image.platform),
                "annotations": {
                    "io.containerd.image.name": name,
                    "org.opencontainers.image.ref.name": name.rpartition(":")[2],
                },
            }
        ],
    }
    entries = [("oci-layout", _encode({"imageLayoutVersion": "1.0.0"}))]
    blobs = dict([*image.blobs(), (image.digest, image.manifest)])
    entries += [(f"blobs/{digest.replace(':', '/')}", data) for digest, data in blobs.items()]
    entries.append(("index.json", _encode(index)))
    with (
        files.replacing(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry, data in entries:
            info = tarfile.TarInfo(entry)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts or pure == PurePosixPath("/"):
        message = f"not an absolute path inside an image: {path!r}"
        raise ValueError(message)
    return str(pure.relative_to("/"))


def _add(tar: tarfile.TarFile, path: str, file: File) -> None:
    info = tarfile.TarInfo(path)
    info.mode, info.uid, info.gid, info.mtime = file.mode, file.owner, file.owner, 0
    if file.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, file.link, 0o777
        tar.addfile(info)
    elif file.content is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    else:
        data = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _encode(document: Any) -> bytes:
    """One spelling for one document, so that digests are stable."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
