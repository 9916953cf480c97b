"""The disposable process that reads the layers of an image: ``python -m hanbae.images.layer_worker``.

Whoever built an image decides what its archives hold: bytes without end, a million members, paths that go anywhere.
Nothing of them is written to a disk; they are read as they come, once, in a process with bounds on memory and time
that can only answer with the names and digests of the files in one folder, and with the text of its migrations.

The request is a line of JSON: the folder, how many layers follow, how much they and the answer may hold, and whether
the text of migrations is asked for: it is kept by digest, because only the last layer tells what is in the folder.
Each layer is frames of four bytes of length and that many bytes, and ends with an empty frame. The answer is one JSON
document.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final, Self

from hanbae import confinement
from hanbae.images import layer_trees

MEMORY: Final = 1024**3
"""Bytes of address space: a tree of `layer_trees.MOST_NODES` takes a quarter of it."""
CPU: Final = 120
"""Seconds: a gigabyte of gzip takes about ten."""
LARGEST_FILE: Final = 64 * 1024**2
"""Bytes of a file whose content counts; a larger one is there, and no migration."""
LARGEST_MIGRATION: Final = 1024**2
"""Bytes of a migration whose text is kept."""
MOST_TEXT: Final = 64 * 1024**2
"""Bytes of all texts that are kept, wherever they are in the image; those beyond are not read."""
_LONGEST_REQUEST: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024
_MIB: Final = 1024 * 1024
# By name, because tarfile exports only what they are derived from.
_ENDS: Final = {"EOFHeaderError", "EmptyHeaderError"}
# Of zlib: 15 for the largest window, and 16 for a header of gzip's.
_GZIP_BITS: Final = 31
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Frames(io.RawIOBase):
    """One layer, as the parent sends it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._left = 0
        self._ended = False

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed has a wider type
        """Fill the buffer, as far as the layer goes: `peek` reads once, and is to see how it is packed."""
        size = 0
        while size < len(buffer) and not self._ended:
            if not self._left:
                self._left = int.from_bytes(self._pipe.read(4), "big")
                self._ended = not self._left
                continue
            data = self._pipe.read(min(self._left, len(buffer) - size))
            if not data:
                raise layer_trees.Fault("cut off")
            self._left -= len(data)
            buffer[size : size + len(data)] = data
            size += len(data)
        return size

    def skip(self) -> None:
        """Read the rest of the layer, so that the next one can begin."""
        while self.read(_CHUNK):
            pass


@dataclass
class Bounds:
    """How much all layers together may still hold."""

    bytes: int
    members: int

    def take(self, *, bytes: int = 0, members: int = 0) -> None:  # noqa: A002  the word for them
        """Count what has been read.

        Raises:
            layer_trees.Fault: It is too much.
        """
        self.bytes -= bytes
        self.members -= members
        if self.bytes < 0:
            raise layer_trees.Fault("more bytes than an image may have unpacked")
        if self.members < 0:
            raise layer_trees.Fault("more members than an image may have")


class Gunzipped(io.RawIOBase):
    """What a gzip stream holds. The standard library's own reads 8 KiB at a time in Python 3.11."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(wbits=_GZIP_BITS)
        self._waiting = b""

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed has a wider type
        """Unpack at most as much as there is room for."""
        while True:
            if self._member.eof:
                self._waiting = self._member.unused_data or self._packed.read(_CHUNK)
                if not self._waiting.strip(b"\0"):
                    return 0  # the end, or the zeros with which some tools fill a block
                self._member = zlib.decompressobj(wbits=_GZIP_BITS)
            elif not self._waiting:
                self._waiting = self._packed.read(_CHUNK)
                if not self._waiting:
                    raise EOFError("gzip ends too early")
            data = self._member.decompress(self._waiting, len(buffer))
            self._waiting = self._member.unconsumed_tail
            if data:
                buffer[: len(data)] = data
                return len(data)


class Counted(io.RawIOBase):
    """An unpacked stream, counted as it is read."""

    def __init__(self, stream: IO[bytes], bounds: Bounds) -> None:
        self._stream = stream
        self._bounds = bounds

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed has a wider type
        """Read and count."""
        data = self._stream.read(len(buffer))
        self._bounds.take(bytes=len(data))
        buffer[: len(data)] = data
        return len(data)


def unpacked(frames: Frames) -> IO[bytes]:
    """The layer's archive; its first bytes decide how it is packed, because media types are often wrong about it."""
    packed = io.BufferedReader(frames, _CHUNK)
    magic = packed.peek(4)[:4]
    if magic.startswith(_GZIP):
        return io.BufferedReader(Gunzipped(packed), _CHUNK)
    if magic == _ZSTD:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        return zstd.ZstdFile(packed)  # type: ignore[no-any-return,return-value,unused-ignore]
    return packed


class Texts:
    """What looks like a migration, by digest; nothing is kept where nobody asks for it.

    Args:
        are_kept: Whether somebody asks for it.
    """

    def __init__(self, *, are_kept: bool) -> None:
        self._are_kept = are_kept
        self._left = MOST_TEXT
        self._bodies: dict[str, bytes] = {}

    def are_kept_of(self, member: tarfile.TarInfo) -> bool:
        """Whether a member may be a migration: goose's files begin with their version."""
        name = member.name.rpartition("/")[2]
        is_like_one = name[:1].isdigit() and name.endswith(".sql")
        return self._are_kept and is_like_one and member.size <= LARGEST_MIGRATION

    def keep(self, digest: str, body: bytes) -> None:
        """Keep a body, unless they are too much already: it may well be of another folder."""
        if digest not in self._bodies and len(body) <= self._left:
            self._left -= len(body)
            self._bodies[digest] = body

    def of(self, digests: Mapping[str, str], *, most: int) -> dict[str, str]:
        """File name → its content in Base64, for those that are kept.

        Args:
            digests: File name → digest.
            most: Bytes that the answer may have.

        Raises:
            layer_trees.Fault: They have more.
        """
        sizes = (len(self._bodies.get(digest, b"")) for digest in digests.values())
        if sum(sizes) * 4 // 3 > most:
            raise _too_much(most)
        return {
            name: base64.b64encode(self._bodies[digest]).decode()
            for name, digest in digests.items()
            if digest in self._bodies
        }


def _too_much(most: int) -> layer_trees.Fault:
    return layer_trees.Fault(f"migrations of more than {most // _MIB * 3 // 4} MiB")


def entries(
    archive: IO[bytes], bounds: Bounds, texts: Texts | None = None
) -> Iterator[layer_trees.Entry]:
    """The members of a layer's archive, with the digests of their files."""
    texts = texts or Texts(are_kept=False)
    with tarfile.open(fileobj=archive, mode="r|", bufsize=_CHUNK, tarinfo=_Member) as tar:
        for member in tar:
            bounds.take(members=1)
            yield layer_trees.Entry(member.name, *_content(tar, member, texts))
            # It keeps them all, for seeking, which nothing here does; typeshed lacks the attribute.
            tar.members.clear()  # type: ignore[attr-defined]


class _Member(tarfile.TarInfo):
    """tarfile takes a damaged header behind the first one for the end of the archive; here it is a fault."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            if type(error).__name__ in _ENDS:
                raise
            raise layer_trees.Fault("a damaged archive") from None


def _content(
    tar: tarfile.TarFile, member: tarfile.TarInfo, texts: Texts
) -> tuple[layer_trees.Kind, str]:
    if member.isreg() and member.size <= LARGEST_FILE:
        hashed, body = hashlib.sha256(), bytearray()
        is_kept = texts.are_kept_of(member)
        file = tar.extractfile(member)
        while file is not None and (data := file.read(_CHUNK)):
            hashed.update(data)
            if is_kept:
                body += data
        digest = f"sha256:{hashed.hexdigest()}"
        if is_kept:
            texts.keep(digest, bytes(body))
        return "file", digest
    if member.isdir():
        return "folder", ""
    if member.issym():
        return "link", member.linkname
    if member.islnk():
        return "same", member.linkname
    return "other", ""


def _bounded(reply: dict[str, object], most: int) -> dict[str, object]:
    """An answer that whoever asks reads to its end; names and digests are in it, too."""
    if len(json.dumps(reply)) > most:
        raise _too_much(most)
    return reply


def answer(pipe: IO[bytes]) -> dict[str, object]:
    """Read the request and its layers; the folder's files, or the fault of what cannot be read.

    Raises:
        MemoryError: There is more than the process may take.
    """
    request = json.loads(pipe.readline(_LONGEST_REQUEST))
    tree = layer_trees.Tree()
    bounds = Bounds(request["most_bytes"], request["most_members"])
    texts = Texts(are_kept=bool(request.get("texts")))
    try:
        for _ in range(request["layers"]):
            frames = Frames(pipe)
            archive = io.BufferedReader(Counted(unpacked(frames), bounds), _CHUNK)
            tree.begin_layer()
            for entry in entries(archive, bounds, texts):
                tree.add(entry)
            frames.skip()
        files = tree.files(request["folder"])
        most = request["most_answered"]
        return _bounded({"files": files, "texts": texts.of(files or {}, most=most)}, most)
    except layer_trees.Fault as fault:
        return {"fault": str(fault)}
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        return {"fault": f"{type(error).__name__}: {error}"}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  zlib's and zstd's own errors, and what tarfile trips over
        return {"fault": type(error).__name__}


def main() -> int:
    """Answer one request."""
    confinement.confine(memory=MEMORY, cpu=CPU)
    try:
        reply = json.dumps(answer(sys.stdin.buffer))
    except MemoryError:
        reply = json.dumps({"fault": "more memory than reading may take"})
    sys.stdout.write(reply)
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
