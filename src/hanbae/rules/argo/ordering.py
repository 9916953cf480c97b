"""The order of one sync: what waits for what comes later, and what waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.policy import labels
from hanbae.rules import rulebook, views
from hanbae.rules.argo import reading
from hanbae.rules.argo import registering as argo

_STARTS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Pod", "Job", "ReplicaSet"})
_SERVES: Final = frozenset({"Deployment", "StatefulSet"})
_MOST_STEPS: Final = 8
_SECONDS: Final = 2  # that Argo CD waits after each wave
_BY_HANBAE: Final = frozenset({"SealedSecret", "ServiceAccount", "ConfigMap"})


def _waiting(
    release: views.Release,
) -> Iterator[tuple[views.Object, views.Object, reading.Step, reading.Step]]:
    """What starts pods, the object of the release that brings what they need, and the steps of both."""
    order = reading.order(release)
    steps = {each.index: step for step, each in order.steps}
    for own, each in order.steps:
        if each.kind in _STARTS and each.namespace == release.namespace:
            for need in sorted(order.needed[each.index] & order.provided.keys()):
                other = order.provided[need]
                if other.index in steps:
                    yield each, other, own, steps[other.index]


@argo.of_release("ARG012", "error", source="https://github.com/argoproj/argo-cd/issues/9891")
def needs_what_comes_later(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook, or a workload of an early wave, that needs an object of a later phase or wave: a first install hangs."""
    by_hand = release.policy.migrations.phase == "PreSync"
    for each, other, own, theirs in _waiting(release):
        if theirs <= own:
            continue
        # The phase is at fault, else the wave of what is needed.
        at = _hook(each) if own[0] < theirs[0] else argo.annotation(other, argo.WAVE)
        facts = {
            "object": each.label,
            "step": reading.shown(own),
            "needs": other.label,
            "later": reading.shown(theirs),
        }
        if by_hand and own[0] == 0 and not other.phases and other.kind in _BY_HANBAE:
            # hanbae applies these alone first, and only then the whole.
            yield rulebook.Hit(at, facts, "by-hand", severity="warning")
        elif own[0] < theirs[0] and argo.HOOK not in each.annotations:
            yield rulebook.Hit(at, facts, "helm")
        else:
            yield rulebook.Hit(at, facts)


def _hook(each: views.Object) -> views.On:
    """The annotation that makes an object a hook."""
    own = argo.HOOK in each.annotations
    return argo.annotation(each, argo.HOOK if own else argo.HELM_HOOK)


@argo.of_release("ARG013", "warning", source=argo.WAVES)
def opened_too_late(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret in the same wave as its readers: these start before it is opened, or with the old values."""
    told = set()
    for each, other, own, theirs in _waiting(release):
        if theirs == own and other.kind in reading.OPENED and other.index not in told:
            told.add(other.index)
            facts = {"object": other.label, "reader": each.label, "wave": str(other.wave)}
            at = argo.annotation(other, argo.WAVE)
            yield rulebook.Hit(at, facts)


@argo.of_release("ARG014", "error", source="docs/adr/0001-migrations-run-as-sync-hooks.md")
def kept_thing_as_hook(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret or a volume claim as a hook: nobody restores it, and a delete policy deletes what it holds."""
    for each in release.of_kind("SealedSecret", "ExternalSecret", "PersistentVolumeClaim"):
        if each.phases:
            variant = "claim" if each.kind == "PersistentVolumeClaim" else ""
            yield rulebook.Hit(_hook(each), {"object": each.label}, variant)


@argo.of_release("ARG015", "error", source="https://github.com/argoproj/argo-cd/issues/5086")
def migration_after_pods(release: views.Release) -> Iterator[rulebook.Hit]:
    """A migration that runs when the new pods are there already."""
    steps = reading.order(release).steps
    pods = [(step, each.index, each.label) for step, each in steps if each.kind in _SERVES]
    if not pods:
        return
    first, _, label = min(pods)
    for own, each in steps:
        if own >= first and each.kind == "Job" and each.phases and _migrates(each):
            facts = {
                "object": each.label,
                "step": reading.shown(own),
                "pods": label,
                "first": reading.shown(first),
            }
            annotations = each.annotations
            key = next(
                (key for key in (argo.WAVE, argo.HOOK) if key in annotations), argo.HELM_HOOK
            )
            yield rulebook.Hit(argo.annotation(each, key), facts)


def _migrates(each: views.Object) -> bool:
    own = each.get("metadata", "labels")
    component = own.get(labels.COMPONENT) if isinstance(own, dict) else None
    return component == "migration" or "migrat" in each.name


@argo.of_release("ARG016", "notice", source="https://github.com/argoproj/argo-cd/issues/4669")
def many_steps(release: views.Release) -> Iterator[rulebook.Hit]:
    """So many phases and waves that waiting between them is what a sync mostly does."""
    order = reading.order(release).steps
    steps = {step for step, _ in order}
    if len(steps) > _MOST_STEPS:
        _, _, last = max((step, each.index, each) for step, each in order)
        facts = {"steps": str(len(steps)), "seconds": str(_SECONDS * (len(steps) - 1))}
        yield rulebook.Hit(argo.annotation(last, argo.WAVE), facts)


@argo.of_release("ARG017", "error", source="https://github.com/argoproj/argo-cd/issues/12840")
def never_healthy(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object that does not become healthy, with later waves or PostSync hooks that wait for it."""
    order = reading.order(release)
    last = max((step for step, _ in order.steps), default=(0, 0))
    for step, each in order.steps:
        if step >= last:
            continue
        facts = {"object": each.label, "later": reading.shown(last)}
        if each.kind == "Deployment" and each.get("spec", "paused") is True:
            yield rulebook.Hit(views.On(each, ("spec", "paused")), facts, "paused")
        elif each.kind == "Job" and each.get("spec", "suspend") is True:
            yield rulebook.Hit(views.On(each, ("spec", "suspend")), facts, "paused")
        elif each.kind == "PersistentVolumeClaim":
            named = each.kind, each.name
            readers = [
                when for when, other in order.steps if named in order.needed.get(other.index, ())
            ]
            if not any(when <= step for when in readers):
                yield rulebook.Hit(views.On(each, ()), facts, "claim", severity="warning")
        elif last[0] == reading.POST_SYNC and _waits_for_address(each):
            yield rulebook.Hit(views.On(each, ()), facts, "address", severity="notice")


def _waits_for_address(each: views.Object) -> bool:
    if each.kind == "Service":
        return bool(each.get("spec", "type") == "LoadBalancer")
    return each.kind == "Ingress"
