"""Names of what a sync applies: hooks without one or with a generated one, and marks copied from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.argo import hooks
from hanbae.rules import rulebook, views
from hanbae.rules.argo import reading
from hanbae.rules.argo import registering as argo

_TRACKING: Final = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id")
_INSTANCE: Final = "app.kubernetes.io/instance"


@argo.of_release("ARG018", "error", source=argo.WAVES)
def name_is_missing(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object without a name, or with a generated one where Argo CD makes none or deletes none."""
    for each in release.objects:
        if each.get("metadata", "name"):
            continue
        facts = {"object": each.label, "kind": each.kind}
        if not each.get("metadata", "generateName"):
            yield rulebook.Hit(views.On(each, ("metadata",)), facts)
            continue
        at = views.On(each, ("metadata", "generateName"))
        if not each.phases:
            if not reading.is_hook_of_no_phase(each):
                yield rulebook.Hit(at, facts, "no-hook")
        elif _stays(each):
            yield rulebook.Hit(at, facts, "stays", severity="warning")


def _stays(each: views.Object) -> bool:
    """Whether nothing ever deletes a hook: each sync makes another one."""
    policies = hooks.delete_policies(each.data)
    return policies == ("BeforeHookCreation",) and (
        each.get("spec", "ttlSecondsAfterFinished") is None
    )


@argo.of_release(
    "ARG019",
    "error",
    source="https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/",
)
def mark_of_another(release: views.Release) -> Iterator[rulebook.Hit]:
    """Argo CD's own mark in a chart, or the name of another release as the instance."""
    others = release.service.project.release_names
    for each in release.objects:
        annotations = each.annotations
        for key in _TRACKING:
            if key in annotations:
                facts = {"object": each.label, "key": key}
                yield rulebook.Hit(argo.annotation(each, key, at_key=True), facts)
        instance = each.get("metadata", "labels", _INSTANCE)
        if isinstance(instance, str) and instance != release.name and instance in others:
            facts = {"object": each.label, "value": instance, "release": release.name}
            at = views.On(each, ("metadata", "labels", _INSTANCE))
            yield rulebook.Hit(at, facts, "instance", severity="warning")
