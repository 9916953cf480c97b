"""Which objects Argo CD runs as hooks, and in which phase and wave.

The rules are Argo CD's (3.x): an object with a valid ``argocd.argoproj.io/hook`` ignores its own
``helm.sh/hook``; a value that is no phase makes Argo CD ignore the whole object; ``Skip`` counts only alone.
They are needed to know which hooks a full sync *must* show in its result: a sync that ran without them
(a selective one, self-heal) is not a deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from hanbae import patterns, subjects

Phase = Literal["PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete"]

_HOOK: Final = "argocd.argoproj.io/hook"
_HELM_HOOK: Final = "helm.sh/hook"
_CRD: Final = "crd-install"
_WAVE: Final = "argocd.argoproj.io/sync-wave"
_HELM_WEIGHT: Final = "helm.sh/hook-weight"
_DELETE: Final = "argocd.argoproj.io/hook-delete-policy"
_HELM_DELETE: Final = "helm.sh/hook-delete-policy"
_FROM_HELM: Final[Mapping[str, Phase]] = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-install": "PostSync",
    "post-upgrade": "PostSync",
    "pre-delete": "PreDelete",
    "post-delete": "PostDelete",
}
_PHASES: Final[Mapping[str, Phase]] = {phase: phase for phase in get_args(Phase)}
_POLICIES: Final = frozenset({"BeforeHookCreation", "HookSucceeded", "HookFailed"})
_HELM_POLICIES: Final = {
    "before-hook-creation": "BeforeHookCreation",
    "hook-succeeded": "HookSucceeded",
    "hook-failed": "HookFailed",
}
# Go reads 64 bits, into which 18 digits always fit.
_INTEGER: Final = patterns.lazy(r"[+-]?[0-9]{1,18}")
_IN_A_SUCCESSFUL_SYNC: Final = frozenset({"PreSync", "Sync", "PostSync"})


def phases(manifest: Mapping[str, Any]) -> tuple[Phase, ...]:
    """The phases in which Argo CD runs an object as a hook; empty for ordinary and for ignored objects."""
    annotations = _annotations(manifest)
    own = [value for value in _listed(annotations.get(_HOOK, "")) if value in (*_PHASES, "Skip")]
    if own:
        return tuple(dict.fromkeys(_PHASES[value] for value in own if value in _PHASES))
    values = _listed(annotations.get(_HELM_HOOK, ""))
    return tuple(dict.fromkeys(_FROM_HELM[value] for value in values if value in _FROM_HELM))


def is_ignored(manifest: Mapping[str, Any]) -> bool:
    """Whether Argo CD neither applies nor runs an object: a hook of no phase it knows, such as Helm's tests."""
    annotations = _annotations(manifest)
    values = [annotations[name] for name in (_HOOK, _HELM_HOOK) if name in annotations]
    # Helm 2 called CRDs so, and Argo CD applies them as what they are.
    return bool(values) and values != [_CRD] and not phases(manifest)


def wave(manifest: Mapping[str, Any]) -> int:
    """The sync wave of any object, hook or not: the annotation, else Helm's weight, else 0."""
    annotations = _annotations(manifest)
    for name in (_WAVE, _HELM_WEIGHT):
        value = str(annotations.get(name, ""))
        if is_wave(value):
            return int(value)
    return 0


def is_wave(value: str) -> bool:
    """Whether Argo CD takes a text for a wave: what Go reads as an integer, without spaces or underscores."""
    return _INTEGER.fullmatch(value) is not None


def delete_policies(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """When Argo CD deletes a hook; ``BeforeHookCreation`` when it names no valid policy.

    The policies of both annotations are merged, unlike the hook annotations themselves; each has its own spelling.
    """
    annotations = _annotations(manifest)
    own = [value for value in _listed(annotations.get(_DELETE, "")) if value in _POLICIES]
    helm = _listed(annotations.get(_HELM_DELETE, ""))
    values = dict.fromkeys(
        [*own, *(_HELM_POLICIES[value] for value in helm if value in _HELM_POLICIES)]
    )
    return tuple(values) or ("BeforeHookCreation",)


def expected(manifests: Iterable[Mapping[str, Any]], *, namespace: str) -> tuple[subjects.Ref, ...]:
    """The hooks that a successful full sync must show in its result, in the order in which they run.

    Args:
        manifests: Rendered objects.
        namespace: Where objects go that name no namespace.

    Returns:
        One entry per object; its name ends in ``-`` where Argo CD completes a ``generateName``.
    """
    order = {"PreSync": 0, "Sync": 1, "PostSync": 2}
    ordered: list[tuple[int, int, subjects.Ref]] = []
    for manifest in manifests:
        ran = [phase for phase in phases(manifest) if phase in _IN_A_SUCCESSFUL_SYNC]
        if ran:
            first = min(order[phase] for phase in ran)
            ordered.append((first, wave(manifest), _ref(manifest, namespace)))
    return tuple(ref for _, _, ref in sorted(ordered))


def is_same(hook: subjects.Ref, other: subjects.Ref) -> bool:
    """Whether an object that was seen is an expected hook, generated names included."""
    if (hook.kind, hook.namespace) != (other.kind, other.namespace):
        return False
    return other.name.startswith(hook.name) if is_generated(hook) else other.name == hook.name


def is_generated(hook: subjects.Ref) -> bool:
    """Whether Kubernetes completes an expected hook's name: no object's own name ends so."""
    return hook.name.endswith("-")


def _ref(manifest: Mapping[str, Any], namespace: str) -> subjects.Ref:
    metadata = manifest["metadata"]
    name = metadata.get("name") or metadata.get("generateName") or ""
    return subjects.Ref(manifest["kind"], metadata.get("namespace") or namespace, name)


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = manifest.get("metadata")
    values = metadata.get("annotations") if isinstance(metadata, dict) else None
    return values if isinstance(values, dict) else {}


def _listed(value: object) -> list[str]:
    return [part.strip() for part in str(value).split(",") if part.strip()]
