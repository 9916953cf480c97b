"""Annotations that Argo CD does not understand: it ignores them, or the whole object, without a word."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from hanbae.argo import hooks
from hanbae.rules import rulebook, views
from hanbae.rules.argo import registering as argo

_PHASES: Final = frozenset({*get_args(hooks.Phase), "Skip"})
_ARGO: Final = "argocd.argoproj.io"
_HELM: Final = "helm.sh"
_ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    _ARGO: (
        "hook",
        "hook-delete-policy",
        "sync-wave",
        "sync-options",
        "compare-options",
        "ignore-healthcheck",
        "ignore-resource-updates",
        "ignore-restart-policy",
        "manifest-generate-paths",
        "tracking-id",
        "installation-id",
        "refresh",
        "skip-reconcile",
    ),
    _HELM: ("hook", "hook-weight", "hook-delete-policy", "resource-policy"),
}
# Characters of a key that is compared: difflib takes quadratic time, and a chart may write
# anything.
_LONGEST: Final = 200
_ALIKE: Final = 0.8
_FIRST: Final = frozenset(_ANNOTATIONS[_ARGO][:5])  # what changes what a sync does
# Other tools of the same domain; their annotations are their own.
_OTHERS: Final = ("argocd-image-updater.", "notifications.", "link.", "pref.", "rollouts.", "argo-")
_DELETE_POLICIES: Final = frozenset({"BeforeHookCreation", "HookSucceeded", "HookFailed"})
_HELM_DELETE_POLICIES: Final = frozenset({"before-hook-creation", "hook-succeeded", "hook-failed"})
_STRINGS: Final = "https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/"
_BOOLEAN: Final = ("true", "false")
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Prune": (*_BOOLEAN, "confirm"),
    "Delete": (*_BOOLEAN, "confirm"),
    "Validate": _BOOLEAN,
    "SkipDryRunOnMissingResource": _BOOLEAN,
    "PruneLast": _BOOLEAN,
    "Replace": _BOOLEAN,
    "Force": _BOOLEAN,
    "ServerSideApply": _BOOLEAN,
}
"""Sync options of one object, and their values."""

_COMPARE: Final[Mapping[str, tuple[str, ...]]] = {
    "ServerSideDiff": _BOOLEAN,
    "IncludeMutationWebhook": _BOOLEAN,
}


@argo.of_release("ARG001", "error", source=argo.WAVES, essential=True)
def unknown_phase(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook of a phase that Argo CD does not have: it ignores the whole object, without a word."""
    for manifest in release.objects:
        value = manifest.annotations.get(argo.HOOK)
        if value is None:
            continue
        unknown = [part for part in argo.listed(value) if part not in _PHASES]
        if unknown:
            facts = {
                "object": manifest.label,
                "value": unknown[0][:60],
                "phases": ", ".join(manifest.phases),
            }
            variant = "part" if manifest.phases else ""
            yield rulebook.Hit(argo.annotation(manifest, argo.HOOK), facts, variant)


@argo.of_release("ARG002", "error", source=argo.WAVES, essential=True)
def misspelt_annotation(release: views.Release) -> Iterator[rulebook.Hit]:
    """An annotation whose key is nearly one of Argo CD's or Helm's."""
    for manifest in release.objects:
        for key in manifest.annotations:
            nearest = _meant(str(key))
            if nearest:
                facts = {"object": manifest.label, "key": str(key), "known": nearest}
                yield rulebook.Hit(argo.annotation(manifest, key, at_key=True), facts)


def _meant(key: str) -> str:
    """The key that was meant; empty for one that is right, or is nothing like any."""
    domain, slash, name = key.rpartition("/")
    if not slash or len(key) > _LONGEST or domain.startswith(_OTHERS):
        return ""
    if domain in _ANNOTATIONS:
        if name in _ANNOTATIONS[domain]:
            return ""
        # Argo CD's annotations begin with the same words, so only a slip counts as one.
        matches = difflib.get_close_matches(name.lower(), _ANNOTATIONS[domain], n=1, cutoff=_ALIKE)
        swapped = domain == _HELM and name == "sync-wave"
        return f"{_ARGO}/sync-wave" if swapped else f"{domain}/{matches[0]}" if matches else ""
    if name in _FIRST and (
        "argo" in domain or difflib.SequenceMatcher(None, domain, _ARGO).ratio() > _ALIKE
    ):
        return f"{_ARGO}/{name}"
    if name in _ANNOTATIONS[_HELM] and domain in {"helm", "helm.io", "helm.sh.io", "www.helm.sh"}:
        return f"{_HELM}/{name}"
    return ""


@argo.of_release("ARG003", "error", source=argo.WAVES, essential=True)
def annotation_where_nobody_looks(release: views.Release) -> Iterator[rulebook.Hit]:
    """Argo CD's or Helm's annotation on a pod template, or among the labels."""
    for manifest in release.objects:
        pod = manifest.pod
        for pointer in (
            ("metadata", "labels"),
            # A Pod itself is no template: its annotations are where Argo CD looks.
            *(((*pod[:-1], "metadata", "annotations"),) if pod and len(pod) > 1 else ()),
        ):
            value = manifest.get(*pointer)
            for key in value if isinstance(value, dict) else ():
                text = str(key)
                if text.startswith((_ARGO, _HELM)) and _changes_a_sync(text):
                    facts = {"object": manifest.label, "key": str(key)}
                    yield rulebook.Hit(views.On(manifest, (*pointer, key), key=True), facts)


def _changes_a_sync(key: str) -> bool:
    domain, _, name = key.rpartition("/")
    return (domain == _ARGO and name in _FIRST) or (domain == _HELM and name.startswith("hook"))


@argo.of_release("ARG004", "error", source=argo.WAVES, essential=True)
def wave_is_no_integer(release: views.Release) -> Iterator[rulebook.Hit]:
    """A wave or weight that Go does not read as an integer: Argo CD takes 0 instead."""
    for manifest in release.objects:
        annotations = manifest.annotations
        for key in (argo.WAVE, argo.HELM_WEIGHT):
            value = annotations.get(key)
            if isinstance(value, str) and not hooks.is_wave(value):
                facts = {"object": manifest.label, "value": value[:60], "wave": str(manifest.wave)}
                yield rulebook.Hit(argo.annotation(manifest, key), facts)


@argo.of_release("ARG005", "error", source=argo.WAVES, essential=True)
def unknown_delete_policy(release: views.Release) -> Iterator[rulebook.Hit]:
    """A delete policy that Argo CD does not know, or one on an object that is no hook."""
    for manifest in release.objects:
        annotations = manifest.annotations
        for key, values in (
            (argo.DELETE_POLICY, _DELETE_POLICIES),
            (argo.HELM_DELETE_POLICY, _HELM_DELETE_POLICIES),
        ):
            if key not in annotations:
                continue
            unknown = [part for part in argo.listed(annotations[key]) if part not in values]
            is_hook = argo.HOOK in annotations or argo.HELM_HOOK in annotations
            if is_hook and not unknown:
                continue
            location = argo.annotation(manifest, key)
            facts = {"object": manifest.label, "known": ", ".join(sorted(values))}
            if unknown:
                yield rulebook.Hit(location, {**facts, "value": unknown[0][:60]})
            else:
                yield rulebook.Hit(location, facts, "no-hook", severity="warning")


@argo.of_release("ARG006", "error", source=argo.OPTIONS, essential=True)
def unknown_option(release: views.Release) -> Iterator[rulebook.Hit]:
    """A sync or compare option that Argo CD does not know, or that no single object can have."""
    for manifest in release.objects:
        annotations = manifest.annotations
        for key, options, alone in (
            (argo.SYNC_OPTIONS, OPTIONS, ()),
            (argo.COMPARE_OPTIONS, _COMPARE, ("IgnoreExtraneous",)),
        ):
            for part in argo.listed(annotations[key]) if key in annotations else ():
                if part not in alone and not is_option(part, options):
                    meant = near(part, [*alone, *written(options)])
                    facts = {"object": manifest.label, "value": part[:60], "known": meant}
                    yield rulebook.Hit(argo.annotation(manifest, key), facts)


@argo.of_release("ARG007", "error", source=_STRINGS, essential=True)
def annotation_is_no_text(release: views.Release) -> Iterator[rulebook.Hit]:
    """An annotation of Argo CD's or Helm's that YAML reads as a number or a truth value: the API server refuses it."""
    for manifest in release.objects:
        for key, value in manifest.annotations.items():
            if not isinstance(value, str) and str(key).startswith((_ARGO, _HELM)):
                facts = {"object": manifest.label, "key": str(key), "value": _yaml(value)}
                yield rulebook.Hit(argo.annotation(manifest, key), facts)


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:60] if value is not None else "null"


@argo.of_release("ARG008", "error", source=argo.WAVES, essential=True)
def skip_beside_phases(release: views.Release) -> Iterator[rulebook.Hit]:
    """`Skip` beside another phase: the object runs in that phase after all."""
    for manifest in release.objects:
        value = manifest.annotations.get(argo.HOOK)
        parts = argo.listed(value) if value is not None else []
        if "Skip" in parts and manifest.phases:
            facts = {"object": manifest.label, "phases": ", ".join(manifest.phases)}
            yield rulebook.Hit(argo.annotation(manifest, argo.HOOK), facts)


def is_option(option: str, options: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an option such as ``Prune=false`` is known, with its value."""
    name, _, value = option.partition("=")
    return value in options.get(name, ())


def written(options: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Options as one writes them, such as ``Prune=false``."""
    return [f"{name}={value}" for name, values in options.items() for value in values]


def near(value: str, candidates: Any) -> str:
    """The known word that was probably meant; all of them where it is like none."""
    matches = difflib.get_close_matches(value[:100], list(candidates), n=1, cutoff=0.6)
    return matches[0] if matches else ", ".join(sorted(candidates))
