"""Whose a release is: Helm's, by the marks that Helm writes, or Argo CD's, by those of Argo CD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae import errors, subjects
from hanbae.clusters import connections, kinds, reading
from hanbae.engines import ownership
from hanbae.policy import labels

_HELM: Final = "Helm"
_LOOKED_AT: Final = ("Deployment", "StatefulSet", "Service", "SealedSecret", "ExternalSecret")


def own(manifest: dict[str, Any], *, release: str, namespace: str) -> None:
    """Mark an object as a release's, as Helm does it, so that Helm adopts it."""
    metadata = manifest["metadata"]
    # Helm adopts an existing object only with this label and both annotations; otherwise it
    # refuses the release.
    metadata["labels"] = {**(metadata.get("labels") or {}), labels.MANAGED_BY: _HELM}
    marks = {labels.HELM_RELEASE: release, labels.HELM_NAMESPACE: namespace}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **marks}


def owned(manifest: Mapping[str, Any], *, release: str, namespace: str) -> dict[str, Any]:
    """A copy of an object, marked as a release's."""
    marked = {**manifest, "metadata": dict(manifest["metadata"])}
    own(marked, release=release, namespace=namespace)
    return marked


def release_of(live: Mapping[str, Any], namespace: str) -> str:
    """The release of a namespace that Helm says an object belongs to; empty where Argo CD has it, or nobody."""
    # Helm's annotations stay on an object that Argo CD took over later, so Argo CD's decides.
    annotations = live["metadata"].get("annotations") or {}
    # Another namespace may have a release of the same name, with objects in this one.
    is_elsewhere = (annotations.get(labels.HELM_NAMESPACE) or namespace) != namespace
    if labels.TRACKING in annotations or is_elsewhere:
        return ""
    return str(annotations.get(labels.HELM_RELEASE) or "")


def is_labelled(live: Mapping[str, Any], *, application: str, release: str) -> bool:
    """Whether Argo CD has an object by the label alone, as with ``resourceTrackingMethod: label``.

    Args:
        live: The object.
        application: Name of the Application.
        release: Name of the release, which charts write into the same label: where both have one name, it says nothing.
    """
    return application != release and ownership.is_marked(live, application)


async def refuse_argo_cd(
    cluster: connections.Cluster, objects: Mapping[subjects.Ref, kinds.Object]
) -> None:
    """Refuse a release that has objects which Argo CD tracks.

    Raises:
        hanbae.errors.Refused: It has.
    """
    for ref in objects:
        if ref.kind not in _LOOKED_AT:
            continue
        try:
            live = await reading.get(cluster, kinds.named(ref.kind), ref.namespace, ref.name)
        except errors.WrongUse:
            continue  # the kind is not served, so nobody has one
        annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
        if labels.TRACKING in annotations:
            application = str(annotations[labels.TRACKING]).partition(":")[0]
            facts = {"application": application, "object": str(ref)}
            raise errors.Refused("upgrade.argocd-owns", place=None, **facts)


async def refuse_application(cluster: connections.Cluster, ref: subjects.Ref) -> None:
    """Refuse a release that Argo CD has an Application for, deployed or not: it would be synced one day.

    Raises:
        hanbae.errors.Refused: It has.
    """
    try:
        application = await reading.get(cluster, kinds.APPLICATION, ref.namespace, ref.name)
    except (errors.Forbidden, errors.WrongUse):
        return  # there is no Argo CD, or who deploys with Helm may not look into it
    if application is not None:
        facts = {"application": ref.name, "object": str(ref)}
        raise errors.Refused("upgrade.argocd-owns", place=None, **facts)
