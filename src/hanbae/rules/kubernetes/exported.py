"""Objects that were taken out of a cluster with all that the cluster had written into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_SOURCE: Final = (
    "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/"
)
_REFUSED: Final = ("resourceVersion", "uid")
"""With these the API server refuses an object that it does not have, or has in another state."""
_IDLE: Final = ("generation", "managedFields", "selfLink", "creationTimestamp", "deletionTimestamp")
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_WITH_STATUS: Final = frozenset({"CustomResourceDefinition"})
"""Kinds whose generators write an empty status, which is ignored."""


@rulebook.of_release("KUB038", "warning", source=_SOURCE, essential=True)
def exported(release: views.Release) -> Iterator[rulebook.Hit]:
    """Fields that only the cluster writes: the API server refuses some, and Argo CD never sees the others in sync."""
    for manifest in release.objects:
        metadata = shapes.mapping(manifest.data.get("metadata"))
        for field in _REFUSED:
            if metadata.get(field):
                on = views.On(manifest, ("metadata", field))
                facts = {"object": manifest.label, "field": f"metadata.{field}"}
                yield rulebook.Hit(on, facts, "refused", severity="error")
        pointers: list[tuple[str, ...]] = [
            ("metadata", field) for field in _IDLE if metadata.get(field)
        ]
        if manifest.data.get("status") and manifest.kind not in _WITH_STATUS:
            pointers.append(("status",))
        if _LAST_APPLIED in manifest.annotations:
            pointers.append(("metadata", "annotations", _LAST_APPLIED))
        pointers += [
            ("spec", field)
            for field in (("clusterIP", "clusterIPs") if manifest.kind == "Service" else ())
            # People write `None` themselves, for a headless Service.
            if manifest.get("spec", field) not in (None, "", "None", ["None"], [])
        ]
        for pointer in pointers:
            facts = {"object": manifest.label, "field": ".".join(pointer)[:120]}
            yield rulebook.Hit(views.On(manifest, pointer), facts)
