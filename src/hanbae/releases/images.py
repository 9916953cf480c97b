"""The images of a release and with which Secrets they are pulled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hanbae import subjects
from hanbae.releases import parts
from hanbae.releases.objects import Contained, Object, On


def accounts(objects: Iterable[Object]) -> dict[str, tuple[str, ...]]:
    """Name of a ServiceAccount → its pull secrets, for those among the objects."""
    return {
        manifest.name: _names(manifest.get("imagePullSecrets"))
        for manifest in objects
        if manifest.kind == "ServiceAccount"
    }


def of_container(
    manifest: Object, contained: Contained, workload: subjects.Ref, pulls: tuple[str, ...] = ()
) -> parts.Image:
    """The image of a container.

    Args:
        manifest: What makes the pod.
        contained: The container, and where it is.
        workload: What makes the pod, in its environment.
        pulls: The pull secrets of the pod.
    """
    pointer, container = contained
    return parts.Image(
        workload=workload,
        container=str(container.get("name") or ""),
        reference=str(container.get("image") or ""),
        part=On(manifest, (*pointer, "image")),
        pull_secrets=pulls,
        init="initContainers" in pointer,
    )


def _pulls(manifest: Object, accounts_: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The pull secrets of a pod: one that names some gets none of its ServiceAccount's."""
    pod = manifest.get(*(manifest.pod or ()))
    if not isinstance(pod, dict):
        return accounts_.get("default", ())
    account = str(pod.get("serviceAccountName") or "default")
    return _names(pod.get("imagePullSecrets")) or accounts_.get(account, ())


def workloads(
    objects: Iterable[Object], accounts_: Mapping[str, tuple[str, ...]]
) -> tuple[parts.Workload, ...]:
    """What makes pods, each with the images of its containers."""
    return tuple(
        _workload(manifest, _pulls(manifest, accounts_))
        for manifest in objects
        if manifest.pod is not None
    )


def _workload(manifest: Object, pulls: tuple[str, ...]) -> parts.Workload:
    ref = manifest.ref
    images = (of_container(manifest, entry, ref, pulls) for entry in manifest.containers())
    return parts.Workload(ref, manifest, tuple(images))


def is_begun(images: Iterable[parts.Image], values: Mapping[str, Any]) -> bool:
    """Whether a release runs an image of its own.

    A chart that hanbae has scaffolded renders its repository with the chart's ``appVersion`` until an image is named:
    both ``image.tag`` and ``image.digest`` are there and empty.

    Args:
        images: The images that it renders.
        values: The merged values of its chart; empty where there is none.
    """
    image = values.get("image")
    placeholder = ""
    # A chart that lacks one of the two keys is not hanbae's: its image without a tag may be meant so.
    if isinstance(image, Mapping) and all(image.get(key, _ABSENT) in ("", None) for key in _NAMING):
        placeholder = f"{image.get('repository') or ''}:"
    return any(
        image.reference and not (placeholder and image.reference.startswith(placeholder))
        for image in images
    )


_NAMING: Final = ("tag", "digest")
_ABSENT: Final = object()


def _names(entries: Any) -> tuple[str, ...]:
    return tuple(
        str(entry["name"])
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and entry.get("name")
    )
