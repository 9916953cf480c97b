"""Names of what a sync applies: hooks without one or with a generated one, and marks copied from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.argo import hooks
from hanbae.rules import rulebook, views
from hanbae.rules.argo import prerequisites
from hanbae.rules.argo import registering as argo

_TRACKING: Final = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id")
_INSTANCE: Final = "app.kubernetes.io/instance"


@argo.of_release("ARG018", "error", source=argo.WAVES, essential=True)
def name_is_missing(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object without a name, or with a generated one where Argo CD makes none or deletes none."""
    for manifest in release.objects:
        if manifest.get("metadata", "name"):
            continue
        facts = {"object": manifest.label, "kind": manifest.kind}
        if not manifest.get("metadata", "generateName"):
            yield rulebook.Hit(views.On(manifest, ("metadata",)), facts)
            continue
        part = views.On(manifest, ("metadata", "generateName"))
        if not manifest.phases:
            if not prerequisites.is_hook_of_no_phase(manifest):
                yield rulebook.Hit(part, facts, "no-hook")
        elif _stays(manifest):
            yield rulebook.Hit(part, facts, "stays", severity="warning")


def _stays(manifest: views.Object) -> bool:
    """Whether nothing ever deletes a hook: each sync makes another one."""
    policies = hooks.delete_policies(manifest.data)
    return policies == ("BeforeHookCreation",) and (
        manifest.get("spec", "ttlSecondsAfterFinished") is None
    )


@argo.of_release(
    "ARG019",
    "error",
    source="https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/",
    essential=True,
)
def mark_of_another(release: views.Release) -> Iterator[rulebook.Hit]:
    """Argo CD's own mark in a chart, or the name of another release as the instance."""
    others = release.service.project.release_names
    for manifest in release.objects:
        annotations = manifest.annotations
        for key in _TRACKING:
            if key in annotations:
                facts = {"object": manifest.label, "key": key}
                yield rulebook.Hit(argo.annotation(manifest, key, at_key=True), facts)
        instance = manifest.get("metadata", "labels", _INSTANCE)
        if isinstance(instance, str) and instance != release.name and instance in others:
            facts = {"object": manifest.label, "value": instance, "release": release.name}
            part = views.On(manifest, ("metadata", "labels", _INSTANCE))
            yield rulebook.Hit(part, facts, "instance", severity="warning")
