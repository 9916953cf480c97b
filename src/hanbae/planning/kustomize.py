"""Runs Kustomize over the files of a tree as Argo CD would, with the program that is there, and offline.

The build runs in a folder of its own that holds the files which the kustomizations name and nothing else, with an
empty environment, no way to the network, and limits on time and memory.
What names a URL, a plugin or a path out of the repository is never run; see
:mod:`hanbae.rules.kustomize.scanning`.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from hanbae import confinement, errors, foreign_json, libyaml, patterns
from hanbae.policy import folders
from hanbae.repository import keeping

ARGO_CD: Final = "5.8.3"
"""The Kustomize of the Argo CD that hanbae is tested with."""

_TIMEOUT: Final = 30.0
_LARGEST: Final = 32 * 1024 * 1024
_MEMORY: Final = 4 * 1024**3
_CPU: Final = 20
_ORIGIN: Final = "config.kubernetes.io/origin"
_AROUND: Final = ".hanbae"
# Nothing listens at the discard port, so whatever asks for something over HTTP fails at once.
_NO_NETWORK: Final = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
_MOST_OUTPUTS: Final = 64
_LOGGED: Final = patterns.lazy(r"^[EWIF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.]+:\d+\] ")
_COMMAND: Final = '"command failed" err="'
"""How kubectl's log begins what Kustomize says."""
# Kustomize keeps the style in which a resource is written. What only names a Secret is kept no longer either.
_SECRET: Final = patterns.lazy(rb"""\bkind["']?\s{0,9}:\s{0,9}["']?Secret\b""")
_VERSION: Final = patterns.lazy(r"v(\d{1,4}\.\d{1,4}\.\d{1,4})")

_OUTPUTS: Final[dict[str, tuple[bytes, str]]] = {}
"""Digest of what was built → output and error, so that the same files are built once a process."""


@cache
def program() -> tuple[str, ...]:
    """The command that builds a folder; empty where there is none."""
    own = str(Path(sys.executable).parent)
    for name, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        path = shutil.which(name) or shutil.which(name, path=own)
        if path is not None:
            return (path, verb)
    return ()


@cache
def version() -> str:
    """The version of that Kustomize, such as ``5.8.3``; empty where there is none, or it does not say."""
    command = program()
    if not command:
        return ""
    path, verb = command
    words_ = (path, "version") if verb == "build" else (path, "version", "--client", "-o", "json")
    try:
        answer = subprocess.run(
            words_, capture_output=True, timeout=_TIMEOUT, env={}, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    if verb != "build":
        try:
            answer = str(foreign_json.decode(answer).get("kustomizeVersion")).encode()
        except (foreign_json.Fault, AttributeError):
            return ""
    number = _VERSION.search(answer[:200].decode("utf-8", "replace"))
    return number[1] if number else ""


async def output(
    command: tuple[str, ...],
    files: Mapping[str, bytes],
    folder: str,
    earlier: keeping.Cache | None = None,
    *,
    origins: bool = True,
) -> tuple[bytes, str]:
    """What a build says: its output, or its error.

    Only an output without a Secret is kept for later runs: an error may be otherwise next time. This process says all
    again, for a command asks for one build several times, and one without an end takes half a minute each.

    Args:
        command: The program, as of :func:`program`.
        files: Path → content of all that is there for the build.
        folder: The folder that is built.
        earlier: Outputs of earlier runs; None to build anew.
        origins: Whether each object tells in an annotation from which file it is; see :func:`origin`. None does of what
            is built of the repository's own folder.

    Raises:
        hanbae.errors.Lacking: The program cannot be started.
    """
    contents = [part for item in sorted(files.items()) for part in item]
    # A kustomization may lie below no folder that it builds on, and all is below the repository's own.
    origins = origins and not folders.is_root(folder)
    around = _around(folder) if origins else folder
    key = keeping.key("overlay", *command, _stamp(command[0]), around, *contents)
    if key not in _OUTPUTS and earlier is not None and (output := earlier.get(key)) is not None:
        _OUTPUTS[key] = output, ""
    if key not in _OUTPUTS:
        # The oldest goes first: a dict keeps the order in which its keys came.
        while len(_OUTPUTS) >= _MOST_OUTPUTS:
            del _OUTPUTS[next(iter(_OUTPUTS))]
        with tempfile.TemporaryDirectory(prefix="hanbae-overlay-") as where:
            root = _written(where, files, folder)
            _OUTPUTS[key] = await _run(command, root, _AROUND if origins else folder)
        built, error = _OUTPUTS[key]
        if earlier is not None and not error and not _SECRET.search(built):
            earlier.put(key, built)
    return _OUTPUTS[key]


def _stamp(program: str) -> str:
    """What tells one program from another, or from its next version, without reading it."""
    with errors.starting(program):
        status = Path(program).stat()
    return f"{Path(program).resolve()} {status.st_size} {status.st_mtime_ns}"


def _around(folder: str) -> str:
    """A kustomization around the one of a folder, that asks where each object is from."""
    return (
        f"resources: [../{folder}]\nbuildMetadata: [originAnnotations]\n"
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    )


def _written(where: str, files: Mapping[str, bytes], folder: str) -> Path:
    """Put the files into a folder, and a kustomization around them."""
    root = Path(where).resolve()
    around = _around(folder).encode()
    for path, data in {**files, f"{_AROUND}/kustomization.yaml": around}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


async def _run(command: tuple[str, ...], root: Path, folder: str) -> tuple[bytes, str]:
    with errors.starting(command[0]):
        process = await asyncio.create_subprocess_exec(
            *command,
            str(root / folder),
            cwd=root,
            env={"HOME": str(root), **_NO_NETWORK},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LARGEST,
        )
    with contextlib.suppress(ProcessLookupError):
        confinement.bound(resource.RLIMIT_CPU, _CPU, process=process.pid)
        # Data rather than address space: Go reserves far more of that than it uses.
        confinement.bound(resource.RLIMIT_DATA, _MEMORY, process=process.pid)
    try:
        async with asyncio.timeout(_TIMEOUT):
            # Both at once: a process that fills the pipe which nobody reads waits for ever.
            output, complaint = await asyncio.gather(
                _limited(process, process.stdout), _limited(process, process.stderr)
            )
            # Waits for the end of the process. What came after a kill is read as well: with a full
            # pipe asyncio may never notice the end.
            await process.communicate()
    except TimeoutError:
        return b"", f"> {_TIMEOUT:g} s"
    finally:
        if process.returncode is None:
            _kill(process)
            await process.communicate()
    if len(output) > _LARGEST:
        return b"", f"> {_LARGEST / 1024**2:g} MiB"
    if process.returncode == 0:
        return output, ""
    return b"", words(complaint, root) or f"exit {process.returncode}"


async def _limited(
    process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None
) -> bytes:
    """All that a process says; one that says too much is ended."""
    assert stream is not None  # noqa: S101  both are pipes
    output = bytearray()
    while more := await stream.read(1 << 16):
        output += more
        if len(output) > _LARGEST:
            _kill(process)
            break
    return bytes(output)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def words(output: bytes, root: Path) -> str:
    """The words of an error: without the folder of the build, and without the time and process of kubectl's log."""
    text = output.decode("utf-8", "replace").replace(f"{root}/", "").replace(str(root), ".")
    text = _LOGGED.sub("", " ".join(text.split())).removeprefix("error: ").removeprefix("Error: ")
    if text.startswith(_COMMAND):
        text = text.removeprefix(_COMMAND).removesuffix('"').replace('\\"', '"')
    return text[:500]


def origin(metadata: dict[str, Any]) -> str:
    """The file that an object is from, taken out of the annotation that was asked for; empty where it is not told."""
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict):
        return ""
    text = annotations.pop(_ORIGIN, "")
    if not annotations:
        del metadata["annotations"]
    try:
        origin = libyaml.load(text)
    except libyaml.Fault:
        return ""
    path = (origin.get("path") or origin.get("configuredIn")) if isinstance(origin, dict) else None
    return posixpath.normpath(posixpath.join(_AROUND, str(path))) if path else ""
