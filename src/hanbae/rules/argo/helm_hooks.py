"""Helm's hooks under Argo CD: it maps some, ignores others, and cannot tell an install from an upgrade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hanbae.argo import hooks
from hanbae.rules import rulebook, views
from hanbae.rules.argo import registering as argo
from hanbae.rules.argo.spelling import near

_PHASE: Final[Mapping[str, hooks.Phase]] = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-install": "PostSync",
    "post-upgrade": "PostSync",
    "pre-delete": "PreDelete",
    "post-delete": "PostDelete",
}
_NEVER: Final = frozenset({"pre-rollback", "post-rollback", "test", "test-success", "test-failure"})
_HOOKS: Final = frozenset({*_PHASE, *_NEVER, "crd-install"})
_PAIRS: Final[Mapping[str, str]] = {
    "pre-install": "pre-upgrade",
    "pre-upgrade": "pre-install",
    "post-install": "post-upgrade",
    "post-upgrade": "post-install",
}


def _with_helm_hooks(release: views.Release) -> Iterator[tuple[views.Object, list[str]]]:
    for manifest in release.objects:
        value = manifest.annotations.get(argo.HELM_HOOK)
        if value is not None:
            yield manifest, argo.listed(value)


def _own(manifest: views.Object) -> bool:
    """Whether an object's Helm hooks are ignored, because it has a valid one of Argo CD's."""
    value = manifest.annotations.get(argo.HOOK)
    return value is not None and (bool(manifest.phases) or "Skip" in argo.listed(value))


@argo.of_release("ARG009", "warning", source=argo.HELM, essential=True)
def helm_hook_without_effect(release: views.Release) -> Iterator[rulebook.Hit]:
    """An Argo CD hook beside a Helm hook that asks for another time: only Argo CD's counts."""
    for manifest, values in _with_helm_hooks(release):
        if not _own(manifest) or not manifest.phases:
            continue
        phases = {_PHASE[value] for value in values if value in _PHASE}
        # Before and after are told apart, not more: a Sync hook has its place by its wave.
        missed = {phase for phase in phases if phase.endswith("Delete")} - {*manifest.phases}
        if phases == {"PostSync"}:
            missed |= phases - {*manifest.phases}
        elif phases == {"PreSync"} and manifest.phases == ("PostSync",):
            missed |= phases
        if missed:
            facts = {
                "object": manifest.label,
                "helm": ",".join(values),
                "phases": ", ".join(manifest.phases),
            }
            yield rulebook.Hit(argo.annotation(manifest, argo.HELM_HOOK), facts)


@argo.of_release("ARG010", "warning", source=argo.HELM, essential=True)
def helm_hook_not_supported(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Helm hook that Argo CD has no phase for, or that nobody knows."""
    for manifest, values in _with_helm_hooks(release):
        if _own(manifest):
            continue
        unknown = [value for value in values if value not in _HOOKS]
        never = [value for value in values if value in _NEVER]
        part = argo.annotation(manifest, argo.HELM_HOOK)
        facts = {"object": manifest.label}
        if unknown:
            meant = near(unknown[0], _HOOKS)
            more = {**facts, "value": unknown[0][:60], "known": meant}
            yield rulebook.Hit(part, more, "unknown", severity="error")
        elif never and not manifest.phases:
            # A test is meant for `helm test` alone; a hook for rollbacks is missed when it is needed.
            test = all(value.startswith("test") for value in never)
            more = {**facts, "value": ",".join(never), "known": ""}
            yield rulebook.Hit(part, more, severity="notice" if test else None)
        elif never:
            yield rulebook.Hit(part, {**facts, "value": ",".join(never), "known": ""}, "part")


@argo.of_release(
    "ARG011", "warning", source="https://github.com/argoproj/argo-cd/issues/7536", essential=True
)
def install_or_upgrade_only(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Helm hook for installs or for upgrades alone: Argo CD runs it in every sync."""
    for manifest, values in _with_helm_hooks(release):
        if _own(manifest):
            continue
        for value in values:
            other = _PAIRS.get(value)
            if other and other not in values:
                facts = {"object": manifest.label, "value": value, "phase": _PHASE[value]}
                yield rulebook.Hit(argo.annotation(manifest, argo.HELM_HOOK), facts)
                break
