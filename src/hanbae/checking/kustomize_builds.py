"""Builds Kustomize overlays as Argo CD would, with the program that is there, and offline.

The build runs in a folder of its own that holds the files which the kustomizations name and nothing else, with an
empty environment, no way to the network, and limits on time and memory.
What names a URL, a plugin or a path out of the repository is never run; see
:mod:`hanbae.rules.kustomize.scanning`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import posixpath
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from hanbae import confinement, libyaml
from hanbae.policy import naming
from hanbae.repository import keeping
from hanbae.rules import builds, views
from hanbae.rules.kustomize import overlays, scanning

_TIMEOUT: Final = 30.0
_LARGEST: Final = 32 * 1024 * 1024
_MEMORY: Final = 4 * 1024**3
_CPU: Final = 20
_AT_ONCE: Final = 2
_ORIGIN: Final = "config.kubernetes.io/origin"
_AROUND: Final = ".hanbae"
_NO_NETWORK: Final = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
_KEPT: Final = 64
_LOGGED: Final = re.compile(r"^[EWIF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.]+:\d+\] ")
_COMMAND: Final = '"command failed" err="'
"""How kubectl's log begins what Kustomize says."""

_OUTPUTS: Final[dict[str, tuple[bytes, str]]] = {}
"""Digest of what was built → output and error, so that the same files are built once a process."""


async def built(project: views.Project, kept: keeping.Kept | None = None) -> views.Project:
    """The repository with its overlays, built.

    Args:
        project: The repository.
        kept: Outputs of earlier runs; None to build everything anew.
    """
    free = asyncio.Semaphore(_AT_ONCE)

    async def build(overlay: overlays.Overlay) -> builds.Built:
        async with free:
            return await _built(project, overlay, kept)

    chosen = overlays.overlays(project.policy, project.tree)
    results = await asyncio.gather(*(build(overlay) for overlay in chosen))
    return dataclasses.replace(project, overlays=tuple(results))


def without_chart(project: views.Project) -> tuple[str, ...]:
    """The names of the services that have overlays and no chart."""
    chosen = overlays.overlays(project.policy, project.tree)
    return tuple(sorted({overlay.service for overlay in chosen if overlay.service}))


def services(project: views.Project) -> Iterator[views.Service]:
    """What was built, as services with a release for each environment, for the rules over objects."""
    by_service: dict[str, list[builds.Built]] = {}
    for overlay in project.overlays:
        by_service.setdefault(overlay.service, []).append(overlay)
    for name, all_built in by_service.items():
        view = views.Service(project, name, kustomized=True)
        for overlay in all_built:
            if overlay.objects:
                release = views.Release(view, overlay.environment, {}, overlay.objects)
                view.releases[overlay.environment] = release
        yield view


@cache
def program() -> tuple[str, ...]:
    """The command that builds a folder; empty where there is none."""
    own = str(Path(sys.executable).parent)
    for name, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        path = shutil.which(name) or shutil.which(name, path=own)
        if path is not None:
            return (path, verb)
    return ()


async def _built(
    project: views.Project, overlay: overlays.Overlay, kept: keeping.Kept | None = None
) -> builds.Built:
    result = builds.Built(overlay.environment, overlay.folder, overlay.service)
    if scanning.named(project.tree, overlay.folder) is None:
        return msgspec.structs.replace(result, there=False)
    scan = scanning.scan(project.tree, overlay.folder)
    result = msgspec.structs.replace(
        result, refusals=tuple(scan.refusals), images=tuple(scan.images)
    )
    command = program()
    if scan.refusals or not command:
        return result
    output, error = await _output(command, scan.files, overlay.folder, kept)
    result = msgspec.structs.replace(result, program=command[0])
    if error:
        return msgspec.structs.replace(result, error=error)
    try:
        objects = tuple(_objects(project, overlay, output))
    except libyaml.Fault as wrong:
        return msgspec.structs.replace(result, error=str(wrong)[:500])
    return msgspec.structs.replace(result, objects=objects)


async def _output(
    command: tuple[str, ...], files: Mapping[str, bytes], folder: str, kept: keeping.Kept | None
) -> tuple[bytes, str]:
    """What a build says: its output, or its error. Only an output is kept: an error may be otherwise next time."""
    contents = [part for item in sorted(files.items()) for part in item]
    key = keeping.key("overlay", *command, _stamp(command[0]), _around(folder), *contents)
    if key not in _OUTPUTS and kept is not None and (output := kept.get(key)) is not None:
        _OUTPUTS[key] = output, ""
    if key not in _OUTPUTS:
        while len(_OUTPUTS) >= _KEPT:
            del _OUTPUTS[next(iter(_OUTPUTS))]
        with tempfile.TemporaryDirectory(prefix="hanbae-overlay-") as where:
            root = _written(where, files, folder)
            _OUTPUTS[key] = await _run(command, root)
        if kept is not None and not _OUTPUTS[key][1]:
            kept.put(key, _OUTPUTS[key][0])
    return _OUTPUTS[key]


def _stamp(program: str) -> str:
    """What tells one program from another, or from its next version, without reading it."""
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


async def _run(command: tuple[str, ...], root: Path) -> tuple[bytes, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        str(root / _AROUND),
        cwd=root,
        env={"HOME": str(root), **_NO_NETWORK},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LARGEST,
    )
    with contextlib.suppress(ProcessLookupError):
        confinement.bound(resource.RLIMIT_CPU, _CPU, process=process.pid)
        confinement.bound(resource.RLIMIT_DATA, _MEMORY, process=process.pid)
    try:
        async with asyncio.timeout(_TIMEOUT):
            output, errors = await asyncio.gather(
                _limited(process, process.stdout), _limited(process, process.stderr)
            )
            await (
                process.communicate()
            )  # waits; what came after a kill is read, or it would never end
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
    return b"", words(errors, root) or f"exit {process.returncode}"


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


def _objects(
    project: views.Project, overlay: overlays.Overlay, output: bytes
) -> Iterator[views.Object]:
    documents = list(libyaml.load_all(output))
    fallback = naming.namespace(project.policy, overlay.service, overlay.environment)
    for index, document in enumerate(
        document for document in documents if isinstance(document, dict)
    ):
        metadata = document.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        template = _origin(metadata) or scanning.named(project.tree, overlay.folder) or ""
        namespace = str(metadata.get("namespace") or fallback)
        yield views.Object(document, template, index, namespace)


def _origin(metadata: dict[str, Any]) -> str:
    """The file that an object is from, taken out of the annotation that was asked for."""
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
