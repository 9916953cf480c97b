"""Renders a chart as Argo CD would, without trusting it.

Helm's own code renders (the version that the library embeds), in a disposable worker; see
:mod:`hanbae.charts.worker` and :mod:`hanbae.charts.pools`.
What the worker cannot be trusted to refuse is refused before it starts: symlinks that leave the chart, and
references in ``values.schema.json`` that would make Helm read files or open connections.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.charts import pools

_NAMED: Final = re.compile(r"(?P<file>templates/[^\s:]+):(?P<line>\d+)(?::(?P<column>\d+))?")
_TEMPLATE: Final = re.compile(r"^[^\s/:]+/(?P<file>(?:charts/[^\s:]+/)?templates/[^\s:]+): ")
_TOO_LARGE: Final = re.compile(r"\"chart/(?P<file>[^\"]+)\" is larger than")

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
    limit: float = pools.TIMEOUT,
) -> Rendered:
    """Render a chart folder, in a worker of its own.

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
    wanted = pools.Wanted(release, namespace, tuple(values), kube_version, tuple(api_versions))
    files = gathered(chart, shown=shown)
    async with pools.opened(1) as pool:
        (answer,) = await pool.render(files, [wanted], shown=shown, limit=limit)
    return rendered(answer, shown=shown)


def rendered(answer: pools.Answer, *, shown: str) -> Rendered:
    """A worker's answer as objects in Helm's order.

    Args:
        answer: The answer.
        shown: The chart folder as the user knows it, for faults.

    Raises:
        hanbae.errors.FileFault: Helm failed, or made what is no object.
    """
    if answer.error is not None:
        raise _failed(shown, answer.error.strip()[:2000])
    manifests = [
        Manifest(template, thing)
        for template, document in answer.documents
        for thing in _objects(document, template, shown)
    ]
    return Rendered(answer.values, tuple(sorted(manifests, key=_position)))


def gathered(chart: Path, *, shown: str) -> dict[str, bytes]:
    """The files of a chart folder.

    Args:
        chart: The folder.
        shown: The same as the user knows it, for faults.

    Raises:
        hanbae.errors.FileFault: A symlink leaves the chart.
    """
    root, found = chart.resolve(), {}
    for path in sorted(chart.rglob("*")):
        name = path.relative_to(chart).as_posix()
        if path.is_symlink() and not _is_inside(path, root):
            raise _fault(shown, "render.symlink-outside", path=name)
        if path.is_file():
            found[name] = path.read_bytes()
    return found


def _is_inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def _objects(document: object, template: str, shown: str) -> list[dict[str, Any]]:
    """The objects in a document: none in an empty one, several in a ``List``."""
    things = [document]
    if isinstance(document, Mapping) and document.get("kind") == "List":
        things = [item for item in document.get("items") or [] if item]
    return [_whole(thing, template, shown) for thing in things]


def _whole(thing: object, template: str, shown: str) -> dict[str, Any]:
    if not isinstance(thing, dict) or not isinstance(thing.get("metadata") or {}, dict):
        raise _failed(shown, f"{template}: not an object")
    if not isinstance(thing.get("kind"), str) or not isinstance(thing.get("apiVersion"), str):
        raise _failed(shown, f"{template}: an object without kind or apiVersion")
    return thing


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
        whole = _TEMPLATE.search(error) or _TOO_LARGE.search(error)
        file = whole["file"] if whole else "Chart.yaml"
        return errors.FileFault(
            "render.failed", place=subjects.Place(f"{shown}/{file}"), error=error
        )
    place = subjects.Place(
        f"{shown}/{named['file']}", int(named["line"]), int(named["column"] or 0)
    )
    return errors.FileFault("render.failed", place=place, error=error)
