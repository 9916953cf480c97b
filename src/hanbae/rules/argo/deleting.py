"""What protects an object from being deleted, and from what it does not."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.rules import rulebook, views
from hanbae.rules.argo import registering as argo


@argo.of_release("ARG026", "warning", source=argo.OPTIONS, essential=False)
def half_protected(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object kept when the Application goes but not when git forgets it, or the reverse."""
    for manifest in release.objects:
        annotations = manifest.annotations
        if argo.SYNC_OPTIONS not in annotations and argo.HELM_KEEP not in annotations:
            continue
        # A sync never prunes hooks; their delete policies say when they go.
        if manifest.phases:
            continue
        options = argo.listed(annotations.get(argo.SYNC_OPTIONS, ""))
        prune = any(option in options for option in ("Prune=false", "Prune=confirm"))
        delete = any(option in options for option in ("Delete=false", "Delete=confirm"))
        keep = annotations.get(argo.HELM_KEEP) == "keep"
        facts = {"object": manifest.label}
        if keep and not prune:
            yield rulebook.Hit(argo.annotation(manifest, argo.HELM_KEEP), facts, "keep")
        elif delete and not prune:
            yield rulebook.Hit(argo.annotation(manifest, argo.SYNC_OPTIONS), facts, "pruned")
        elif prune and not delete and not keep:
            part = argo.annotation(manifest, argo.SYNC_OPTIONS)
            yield rulebook.Hit(part, facts, "deleted", severity="notice")
