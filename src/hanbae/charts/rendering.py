"""Renders a chart as Argo CD would, without trusting it.

Helm's own code renders (the version that the library embeds), in a disposable worker; see
:mod:`hanbae.charts.worker`.
What the worker cannot be trusted to refuse is refused before it starts: symlinks that leave the chart, and
references in ``values.schema.json`` that would make Helm read files or open connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import sys
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, subjects

TIMEOUT: Final = 30.0
"""Seconds of wall clock that one chart may take, start of the worker included."""
_LARGEST: Final = 64 * 1024 * 1024
_SCHEMA: Final = "values.schema.json"
_NAMED: Final = re.compile(r"(?P<file>templates/[^\s:]+):(?P<line>\d+)(?::(?P<column>\d+))?")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef", "$schema")
# The dialects that Helm has built in; it would load any other from where its name points.
_DIALECT: Final = re.compile(
    r"https?://json-schema\.org/(?:draft-0[467]|draft/(?:2019-09|2020-12))/schema#?"
)
_DEEPEST: Final = 8
"""Charts packed in one another; an archive can be made that holds itself."""

# Helm installs in this order of kinds (its InstallOrder); others come last, by name.
_ORDER: Final = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)


class Manifest(Struct, frozen=True):
    """One rendered object.

    Attributes:
        template: The chart's file that it comes from.
        object: The object, as the API server would be given it.
    """

    template: str
    object: dict[str, Any]


class Rendered(Struct, frozen=True):
    """A rendered chart.

    Attributes:
        values: The chart's defaults with the given values over them.
        manifests: All objects in Helm's order, hooks included.
    """

    values: dict[str, Any]
    manifests: tuple[Manifest, ...]


async def render(
    chart: Path,
    *,
    release: str,
    namespace: str,
    values: Sequence[bytes] = (),
    kube_version: str | None = None,
    api_versions: Sequence[str] = (),
    shown: str | None = None,
    limit: float = TIMEOUT,
) -> Rendered:
    """Render a chart folder.

    Args:
        chart: The chart's folder; nothing outside it is read.
        release: Name of the release.
        namespace: Namespace of the release.
        values: Values files' contents; later ones win.
        kube_version: Kubernetes version for ``.Capabilities``, such as ``v1.35.4``; None for Helm's own.
        api_versions: More API versions for ``.Capabilities``, such as ``bitnami.com/v1alpha1``.
        shown: The chart folder as the user knows it, for faults; the chart itself is often an export.
        limit: Seconds until the worker is ended.

    Raises:
        hanbae.errors.FileFault: The chart does not render, or it may not be rendered.
    """
    shown = shown or str(chart)
    refuse(chart, shown=shown)
    request = {
        "chart": str(chart),
        "release": release,
        "namespace": namespace,
        "values": [text.decode("utf-8", "replace") for text in values],
        "kube_version": kube_version,
        "api_versions": list(api_versions),
    }
    output, code = await _work(json.dumps(request).encode(), limit)
    if output is None:
        raise _fault(shown, "render.took-too-long", seconds=f"{limit:g}")
    if code != 0 or not output:
        raise _fault(shown, "render.died", code=str(code))
    response = msgspec.json.decode(output, type=dict[str, Any])
    if "error" in response:
        raise _failed(shown, response["error"].strip()[:2000])
    manifests = [Manifest(template, thing) for template, thing in response["manifests"]]
    return Rendered(response["values"], tuple(sorted(manifests, key=_position)))


async def _work(request: bytes, limit: float) -> tuple[bytes | None, int | None]:
    """What the worker answered, and its exit code; no answer when the time was over."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "hanbae.charts.worker",
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LARGEST,
    )
    try:
        async with asyncio.timeout(limit):
            output, _ = await worker.communicate(request)
    except TimeoutError:
        return None, None
    else:
        return output, worker.returncode
    finally:
        if worker.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


def refuse(chart: Path, *, shown: str | None = None) -> None:
    """Refuse what no limit on a process would stop.

    Args:
        chart: The chart's folder.
        shown: The same as the user knows it, for faults.

    Raises:
        hanbae.errors.FileFault: A symlink leaves the chart, or a schema refers to something outside itself.
    """
    root, shown = chart.resolve(), shown or str(chart)
    for path in sorted(chart.rglob("*")):
        if path.is_symlink() and not _is_inside(path, root):
            raise _fault(shown, "render.symlink-outside", path=str(path.relative_to(chart)))
        if path.name == _SCHEMA and path.is_file():
            _refuse_schema(shown, str(path.relative_to(chart)), path.read_bytes())
        elif path.name.endswith(".tgz") and path.is_file():
            with path.open("rb") as file:
                for name, content in _archived(shown, str(path.relative_to(chart)), file):
                    _refuse_schema(shown, name, content)


def _is_inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def _archived(
    shown: str, archive: str, content: IO[bytes], *, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """The schemas in a packed chart, found as Helm finds them.

    To Helm a backslash separates as well, members of unknown types are files, and charts lie packed in each other.
    """
    if depth > _DEEPEST:
        raise _fault(shown, "render.bad-archive", path=archive)
    try:
        with tarfile.open(fileobj=content, mode="r:gz") as tar:
            for member in tar:
                name = re.split(r"[/\\]", member.name)[-1]
                if name != _SCHEMA and not name.endswith(".tgz"):
                    continue
                file = tar.extractfile(member)
                if file is None:
                    continue
                if name == _SCHEMA:
                    yield f"{archive}:{member.name}", file.read(_LARGEST)
                else:
                    inner = io.BytesIO(file.read(_LARGEST))
                    yield from _archived(shown, f"{archive}:{member.name}", inner, depth=depth + 1)
    except (tarfile.TarError, OSError, EOFError, KeyError, zlib.error) as error:
        raise _fault(shown, "render.bad-archive", path=archive) from error


def _refuse_schema(shown: str, path: str, content: bytes) -> None:
    try:
        schema = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _fault(shown, "render.bad-schema", path=path, error=str(error)) from error
    reference = next((ref for ref in _references(schema) if not _is_harmless(ref)), None)
    if reference is not None:
        raise _fault(shown, "render.schema-refers-outside", path=path, reference=reference)


def _is_harmless(reference: str) -> bool:
    return reference.startswith("#") or _DIALECT.fullmatch(reference) is not None


def _references(schema: object) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from (str(node[key]) for key in _REFERENCES if isinstance(node.get(key), str))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _position(manifest: Manifest) -> tuple[int, str, str]:
    kind = manifest.object["kind"]
    name = (manifest.object.get("metadata") or {}).get("name") or ""
    return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), kind, str(name))


def _fault(shown: str, said: str, /, **facts: str) -> errors.FileFault:
    return errors.FileFault(said, place=subjects.Place(f"{shown}/Chart.yaml"), **facts)


def _failed(shown: str, error: str) -> errors.FileFault:
    """Helm's error at the file and line that it names, counted from the chart's folder."""
    named = _NAMED.search(error)
    if named is None:
        return _fault(shown, "render.failed", error=error)
    place = subjects.Place(
        f"{shown}/{named['file']}", int(named["line"]), int(named["column"] or 0)
    )
    return errors.FileFault("render.failed", place=place, error=error)
