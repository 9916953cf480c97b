"""ConfigMaps that pods read once: a change of them reaches no pod that runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae import patterns
from hanbae.rules import restarting, rulebook, views
from hanbae.rules.kubernetes import shapes

_HASHED: Final = patterns.lazy(r"-[a-z0-9]{10}\Z")
"""The end of a name that Kustomize makes of the content: another content is another ConfigMap."""


@rulebook.of_release(
    "KUB040",
    "warning",
    source="https://helm.sh/docs/howto/charts_tips_and_tricks/#automatically-roll-deployments",
    essential=False,
)
def no_restart(release: views.Release) -> Iterator[rulebook.Hit]:
    """Pods that go on with the old content after their ConfigMap has changed."""
    changing = {
        (manifest.namespace, manifest.name)
        for manifest in release.of_kind("ConfigMap")
        if manifest.get("immutable") is not True and not _HASHED.search(manifest.name)
    }
    for manifest in release.of_kind(*sorted(restarting.ROLLED)) if changing else ():
        names = (name for name in _read_once(manifest) if (manifest.namespace, name) in changing)
        name = next(names, None)
        if name is not None and not restarting.restarts(manifest, "config"):
            part = views.On(manifest, ("spec", "template", "metadata", "annotations"))
            yield rulebook.Hit(part, {"object": manifest.label, "name": name})


def _read_once(manifest: views.Object) -> Iterator[str]:
    """The ConfigMaps that a pod reads when it starts: as variables, and as single files of a volume."""
    single: set[str] = set()
    for _, container in manifest.containers():
        for _, entry in shapes.entries(container.get("envFrom")):
            yield from _name(entry.get("configMapRef"))
        for _, entry in shapes.entries(container.get("env")):
            yield from _name(shapes.mapping(entry.get("valueFrom")).get("configMapKeyRef"))
        for _, mount in shapes.entries(container.get("volumeMounts")):
            # The kubelet brings a changed ConfigMap into running pods where it is mounted as a
            # whole, and not through a subPath.
            if mount.get("subPath") or mount.get("subPathExpr"):
                single.update(_name(mount))
    pod = manifest.pod or ()
    for _, volume in shapes.entries(manifest.get(*pod, "volumes")) if single else ():
        if single.intersection(_name(volume)):
            yield from _name(volume.get("configMap"))


def _name(reference: Any) -> Iterator[str]:
    name = shapes.mapping(reference).get("name")
    if isinstance(name, str):
        yield name
