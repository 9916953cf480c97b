"""What files an image holds, read from its layers in the registry; nothing is pulled, unpacked or run.

A migration that is in the repository but not in the image would never be applied: the Job runs the image's files.
So what a deployment promises is read from the image itself, by a disposable process (`hanbae.images.layer_worker`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, masking
from hanbae.images import credentials, references, registry
from hanbae.streams import children

TIMEOUT: Final = 300.0
"""Seconds for all layers of one image; most of it is their download."""
LARGEST_IMAGE: Final = 2 * 1024**3
"""Bytes of all layers as the registry has them."""
MOST_BYTES: Final = 8 * 1024**3
"""Bytes of all layers, unpacked."""
MOST_MEMBERS: Final = 500_000
"""Files, folders and links of all layers."""
MOST_LAYERS: Final = 256
"""Layers of one image; no tool makes more than 127."""
LARGEST_ANSWER: Final = 16 * 1024**2
"""Bytes of what is answered of a folder: names, digests, and texts in Base64."""
_FRAME: Final = 1024 * 1024


class Files(Struct, frozen=True):
    """The files directly in one folder of an image.

    Attributes:
        image: The digest of the image for the one platform whose layers were read.
        digests: File name → ``sha256:…`` of its content; None where the image has no such folder.
        texts: File name → content of its SQL migrations, where that was asked for.
    """

    image: str
    digests: Mapping[str, str] | None
    texts: Mapping[str, bytes] = {}


async def migrations_in(
    reference: references.Reference,
    folder: str,
    login: credentials.Credentials | None = None,
    *,
    insecure: bool = False,
    architecture: str | None = None,
    within: float = TIMEOUT,
    whole: bool = False,
) -> Files | None:
    """The files that are directly in a folder of an image, such as the migrations that its goose would see.

    Args:
        reference: The image.
        folder: Absolute path in the image, such as ``/app/migrations``; links on the way are followed in the image.
        login: Credentials of its registry.
        insecure: Speak plain HTTP.
        architecture: Of an image for several, in the registries' spelling; by default this machine's.
        within: Seconds that it may take.
        whole: Whether the text of SQL migrations is read as well.

    Returns:
        None if the registry does not have the image, or not for this architecture.

    Raises:
        errors.Unreachable: The registry did not answer, not in time, or not with what it had announced.
        errors.Forbidden: It does not let us read the repository.
        errors.Failed: The layers cannot be read, or are larger than any image's.
    """
    try:
        async with asyncio.timeout(within) as timer:
            async with registry.connect(reference.host, login, insecure=insecure) as connected:
                manifest = await connected.image_manifest(reference, architecture=architecture)
                if manifest is None:
                    return None
                layers = _layers(manifest, reference)
                reply = await _read(connected, reference, folder, layers, whole=whole)
    except TimeoutError:
        # Another's TimeoutError says nothing about our own time.
        if not timer.expired():
            raise
        raise errors.Unreachable(
            "image.layers-too-slow", reference=str(reference), seconds=f"{within:g}"
        ) from None
    if reply.fault is not None:
        raise _fault(reference, reply.fault)
    texts = {name: base64.b64decode(body) for name, body in reply.texts.items()}
    return Files(manifest.digest, reply.files, texts)


class _Layer(Struct, frozen=True, rename={"media_type": "mediaType"}):
    media_type: str
    digest: str
    size: int


class _Reply(Struct, frozen=True):
    files: dict[str, str] | None = None
    texts: dict[str, str] = {}
    fault: str | None = None


def _layers(manifest: registry.Manifest, reference: references.Reference) -> list[_Layer]:
    try:
        layers = msgspec.convert(manifest.content().get("layers"), list[_Layer])
    except msgspec.ValidationError as error:
        raise _fault(reference, str(error)) from None
    if len(layers) > MOST_LAYERS:
        raise _fault(reference, f"{len(layers)} layers")
    odd = next((layer.media_type for layer in layers if ".tar" not in layer.media_type), None)
    if odd is not None:
        raise _fault(reference, odd)
    # A negative size must not make room for another layer.
    if sum(max(layer.size, 0) for layer in layers) > LARGEST_IMAGE:
        raise _fault(reference, f"more than {LARGEST_IMAGE // 1024**3} GiB")
    return layers


async def _read(
    connected: registry.Registry,
    reference: references.Reference,
    folder: str,
    layers: list[_Layer],
    *,
    whole: bool,
) -> _Reply:
    """Send the layers through the worker, from the bottom up, and decode what it says."""
    async with _worker() as process:
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        request = {
            "folder": folder,
            "layers": len(layers),
            "most_bytes": MOST_BYTES,
            "most_members": MOST_MEMBERS,
            "most_answered": LARGEST_ANSWER,
            "texts": whole,
        }
        answering = asyncio.create_task(process.stdout.read(LARGEST_ANSWER + 1))
        try:
            # A worker that has seen enough answers and ends; what is still to be sent to it is of no use then.
            with contextlib.suppress(ConnectionError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                for layer in layers:
                    async with connected.blob(reference, layer.digest, layer.size) as chunks:
                        async for chunk in chunks:
                            await _send(process.stdin, chunk)
                    process.stdin.write(bytes(4))
                await process.stdin.drain()
            answer = await _whole(process.stdout, await answering)
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
    try:
        return foreign_json.decode(answer, _Reply)
    except foreign_json.Fault:
        raise _fault(reference, f"exit {process.returncode}") from None


async def _send(pipe: asyncio.StreamWriter, chunk: bytes) -> None:
    for begin in range(0, len(chunk), _FRAME):
        frame = chunk[begin : begin + _FRAME]
        pipe.write(len(frame).to_bytes(4, "big"))
        pipe.write(frame)
        await pipe.drain()


async def _whole(pipe: asyncio.StreamReader, begun: bytes) -> bytes:
    """The rest of an answer, up to its bound."""
    answer = bytearray(begun)
    while len(answer) <= LARGEST_ANSWER and (chunk := await pipe.read(_FRAME)):
        answer += chunk
    return bytes(answer[:LARGEST_ANSWER])


@asynccontextmanager
async def _worker() -> AsyncIterator[asyncio.subprocess.Process]:
    # With -I and without an environment, neither PYTHONPATH nor the folder that we are in
    # decides which code runs.
    with errors.starting(sys.executable):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "hanbae.images.layer_worker",
            env={},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    try:
        yield process
    finally:
        await children.end(process)


def _fault(reference: references.Reference, why: str) -> errors.Failed:
    why = masking.Redactor()(" ".join(why.split()))[:300]
    return errors.Failed("image.unreadable-layers", reference=str(reference), why=why)
