"""The order of one sync: what waits for what comes later, and what waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.argo import hooks
from hanbae.policy import labels
from hanbae.rules import rulebook, views
from hanbae.rules.argo import prerequisites
from hanbae.rules.argo import registering as argo

_STARTS: Final = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Pod", "Job", "CronJob", "ReplicaSet", "Rollout"}
)
_SERVES: Final = frozenset({"Deployment", "StatefulSet", "Rollout"})
_MOST_STEPS: Final = 8
_ORDINARY: Final = frozenset({"ConfigMap", "Secret", "ServiceAccount", "Certificate"})
_SECONDS: Final = 2  # that Argo CD waits after each wave
_BY_HANBAE: Final = frozenset({"SealedSecret", "ExternalSecret", "ServiceAccount", "ConfigMap"})


def _waiting(
    release: views.Release,
) -> Iterator[tuple[views.Object, views.Object, prerequisites.Step, prerequisites.Step]]:
    """What starts pods, the object of the release that brings what they need, and the steps of both."""
    order = prerequisites.order(release)
    steps = {manifest.index: step for step, manifest in order.steps}
    for own, manifest in order.steps:
        # Pods read only what is in their own namespace, and what is provided is in the release's.
        if manifest.kind in _STARTS and manifest.namespace == release.namespace:
            for need in sorted(order.needed[manifest.index] & order.provided.keys()):
                other = order.provided[need]
                if other.index in steps:
                    yield manifest, other, own, steps[other.index]


@argo.of_release(
    "ARG012", "error", source="https://github.com/argoproj/argo-cd/issues/9891", essential=True
)
def needs_what_comes_later(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook, or a workload of an early wave, that needs an object of a later phase or wave: a first install hangs."""
    by_hand = release.policy.migrations.phase == "PreSync"
    for manifest, other, own, theirs in _waiting(release):
        if theirs <= own:
            continue
        # The phase is at fault, else the wave of what is needed.
        part = _hook(manifest) if own[0] < theirs[0] else argo.annotation(other, argo.WAVE)
        facts = {
            "object": manifest.label,
            "step": prerequisites.shown(own),
            "needs": other.label,
            "later": prerequisites.shown(theirs),
        }
        if by_hand and own[0] == 0 and not other.phases and other.kind in _BY_HANBAE:
            # hanbae applies these alone first, and only then the whole.
            yield rulebook.Hit(part, facts, "by-hand", severity="warning")
        elif own[0] < theirs[0] and argo.HOOK not in manifest.annotations:
            yield rulebook.Hit(part, facts, "helm")
        else:
            yield rulebook.Hit(part, facts)


def _hook(manifest: views.Object) -> views.On:
    """The annotation that makes an object a hook."""
    own = argo.HOOK in manifest.annotations
    return argo.annotation(manifest, argo.HOOK if own else argo.HELM_HOOK)


@argo.of_release("ARG013", "warning", source=argo.WAVES, essential=False)
def opened_too_late(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret in the same wave as its readers: these start before it is opened, or with the old values."""
    reported = set()
    for manifest, other, own, theirs in _waiting(release):
        if theirs == own and other.kind in prerequisites.OPENED and other.index not in reported:
            reported.add(other.index)
            facts = {"object": other.label, "reader": manifest.label, "wave": str(other.wave)}
            part = argo.annotation(other, argo.WAVE)
            yield rulebook.Hit(part, facts)


@argo.of_release(
    "ARG014", "error", source="docs/adr/0001-migrations-run-as-sync-hooks.md", essential=True
)
def kept_thing_as_hook(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret or a volume claim as a hook: nobody restores it, and a delete policy deletes what it holds."""
    for manifest in release.of_kind("SealedSecret", "ExternalSecret", "PersistentVolumeClaim"):
        if manifest.phases:
            variant = "claim" if manifest.kind == "PersistentVolumeClaim" else ""
            yield rulebook.Hit(_hook(manifest), {"object": manifest.label}, variant)
    reported = set()
    for manifest, other, _, _ in _waiting(release):
        hooked = bool(other.phases) and other.kind in _ORDINARY
        if hooked and not manifest.phases and other.index not in reported:
            reported.add(other.index)
            facts = {"object": other.label, "reader": manifest.label}
            # BeforeHookCreation, the default, deletes it in each sync and makes it anew;
            # HookSucceeded deletes it for good.
            gone = "HookSucceeded" in hooks.delete_policies(other.data)
            yield rulebook.Hit(_hook(other), facts, "needed" if gone else "renewed")


@argo.of_release(
    "ARG047", "warning", source="https://github.com/argoproj/argo-cd/issues/7237", essential=True
)
def nothing_but_hooks(release: views.Release) -> Iterator[rulebook.Hit]:
    """A release of hooks alone in an environment that syncs itself: to Argo CD it is in sync before they ever ran."""
    steps = prerequisites.order(release).steps
    if not steps or release.settings.sync != "auto":
        return
    if all(manifest.phases for _, manifest in steps):
        facts = {"object": steps[0][1].label, "environment": release.environment}
        yield rulebook.Hit(_hook(steps[0][1]), facts)


@argo.of_release(
    "ARG015", "error", source="https://github.com/argoproj/argo-cd/issues/5086", essential=True
)
def migration_after_pods(release: views.Release) -> Iterator[rulebook.Hit]:
    """A migration that runs when the new pods are there already."""
    steps = prerequisites.order(release).steps
    pods = [
        (step, manifest.index, manifest.label)
        for step, manifest in steps
        if manifest.kind in _SERVES
    ]
    if not pods:
        return
    first, _, label = min(pods)
    for own, manifest in steps:
        if own >= first and manifest.kind == "Job" and manifest.phases and _migrates(manifest):
            facts = {
                "object": manifest.label,
                "step": prerequisites.shown(own),
                "pods": label,
                "first": prerequisites.shown(first),
            }
            annotations = manifest.annotations
            key = next(
                (key for key in (argo.WAVE, argo.HOOK) if key in annotations), argo.HELM_HOOK
            )
            yield rulebook.Hit(argo.annotation(manifest, key), facts)


def _migrates(manifest: views.Object) -> bool:
    own = manifest.get("metadata", "labels")
    component = own.get(labels.COMPONENT) if isinstance(own, dict) else None
    return component == "migration" or "migrat" in manifest.name


@argo.of_release(
    "ARG016", "notice", source="https://github.com/argoproj/argo-cd/issues/4669", essential=False
)
def many_steps(release: views.Release) -> Iterator[rulebook.Hit]:
    """So many phases and waves that waiting between them is what a sync mostly does."""
    order = prerequisites.order(release).steps
    steps = {step for step, _ in order}
    if len(steps) > _MOST_STEPS:
        _, _, last = max((step, manifest.index, manifest) for step, manifest in order)
        facts = {"steps": str(len(steps)), "seconds": str(_SECONDS * (len(steps) - 1))}
        yield rulebook.Hit(argo.annotation(last, argo.WAVE), facts)


@argo.of_release(
    "ARG017", "error", source="https://github.com/argoproj/argo-cd/issues/12840", essential=True
)
def never_healthy(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object that does not become healthy, with later waves or PostSync hooks that wait for it."""
    order = prerequisites.order(release)
    last = max((step for step, _ in order.steps), default=(0, 0))
    for step, manifest in order.steps:
        if step >= last:
            continue
        facts = {"object": manifest.label, "later": prerequisites.shown(last)}
        if manifest.kind == "Deployment" and manifest.get("spec", "paused") is True:
            yield rulebook.Hit(views.On(manifest, ("spec", "paused")), facts, "paused")
        elif manifest.kind == "Job" and manifest.get("spec", "suspend") is True:
            yield rulebook.Hit(views.On(manifest, ("spec", "suspend")), facts, "paused")
        elif manifest.kind == "PersistentVolumeClaim":
            # A claim of a class that binds on first use (WaitForFirstConsumer) stays pending until
            # a pod mounts it, so a reader must come in the same wave or before.
            named = manifest.kind, manifest.name
            readers = [
                when for when, other in order.steps if named in order.needed.get(other.index, ())
            ]
            if not any(when <= step for when in readers):
                yield rulebook.Hit(views.On(manifest, ()), facts, "claim", severity="warning")
        elif last[0] == prerequisites.POST_SYNC and _waits_for_address(manifest):
            yield rulebook.Hit(views.On(manifest, ()), facts, "address", severity="notice")


def _waits_for_address(manifest: views.Object) -> bool:
    # To Argo CD both are Progressing until they have got an address.
    if manifest.kind == "Service":
        return bool(manifest.get("spec", "type") == "LoadBalancer")
    return manifest.kind == "Ingress"
