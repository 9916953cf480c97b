"""What the pods of an object need before they can start, and which object of the same release brings it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae.rules import views
from hanbae.rules.argo import registering as argo

Named = tuple[str, str]
"""Kind and name."""

Step = tuple[int, int]
"""Phase and wave, in the order in which Argo CD comes to them."""

POST_SYNC: Final = 2
"""Number of the phase in a step."""

OPENED: Final = frozenset({"SealedSecret", "ExternalSecret", "Certificate"})
"""Kinds of which a controller makes a Secret, some time after they are applied."""

_PHASES: Final[Mapping[str, int]] = {"PreSync": 0, "Sync": 1, "PostSync": POST_SYNC}
_PLAIN: Final = frozenset({"Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim"})
_FROM: Final = {"secretRef": "Secret", "configMapRef": "ConfigMap"}
_KEY: Final = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
_PROJECTED: Final = {"secret": "Secret", "configMap": "ConfigMap"}


def needs(manifest: views.Object, provided: Mapping[Named, views.Object]) -> frozenset[Named]:
    """What an object's pods cannot start without; what is marked as optional is left out.

    Args:
        manifest: The object.
        provided: What the release brings: of a ServiceAccount among it, its pull secrets are needed as well.
    """
    own = manifest.once(_of_pod)
    # Kubernetes gives the pull secrets of an account to the pods that run as it.
    accounts = [
        provided[named] for named in own if named[0] == "ServiceAccount" and named in provided
    ]
    return own.union(*(_pulls(account.data) for account in accounts))


def _of_pod(manifest: views.Object) -> frozenset[Named]:
    """What the spec of an object's pods names itself."""
    if manifest.pod is None or not isinstance(spec := manifest.get(*manifest.pod), dict):
        return frozenset()
    names = set(_pulls(spec))
    account = spec.get("serviceAccountName")
    if isinstance(account, str) and account:
        names.add(("ServiceAccount", account))
    for _, container in manifest.containers():
        for source in _items(container, "envFrom"):
            names.update(_named(source, _FROM))
        for variable in _items(container, "env"):
            names.update(_named(variable.get("valueFrom"), _KEY))
    for volume in _items(spec, "volumes"):
        names.update(_of_volume(volume))
    return frozenset(names)


def _pulls(part: Mapping[str, Any]) -> Iterator[Named]:
    for secret in _items(part, "imagePullSecrets"):
        name = secret.get("name")
        if isinstance(name, str) and name:
            yield "Secret", name


def _of_volume(volume: Mapping[str, Any]) -> Iterator[Named]:
    yield from _named(volume, {"configMap": "ConfigMap"})
    yield from _named(volume, {"secret": "Secret"}, name="secretName")
    yield from _named(volume, {"persistentVolumeClaim": "PersistentVolumeClaim"}, name="claimName")
    projected = volume.get("projected")
    for source in _items(projected, "sources") if isinstance(projected, dict) else ():
        yield from _named(source, _PROJECTED)


def _items(part: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    value = part.get(key)
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _named(source: Any, kinds: Mapping[str, str], name: str = "name") -> Iterator[Named]:
    if not isinstance(source, dict):
        return
    for key, kind in kinds.items():
        part = source.get(key)
        if isinstance(part, dict) and part.get("optional") is not True:
            value = part.get(name)
            if isinstance(value, str) and value:
                yield kind, value


def provided(release: views.Release) -> dict[Named, views.Object]:
    """What the objects of a release bring, by kind and name; only what lives in the release's own namespace."""
    by_name: dict[Named, views.Object] = {}
    for manifest in release.objects:
        if manifest.namespace != release.namespace:
            continue
        # A Secret that the release itself has is there at once, and counts before one that is still
        # to be opened.
        if manifest.kind in _PLAIN:
            by_name[manifest.kind, manifest.name] = manifest
        elif manifest.kind in OPENED:
            by_name.setdefault(("Secret", _opened(manifest)), manifest)
    return by_name


def _opened(manifest: views.Object) -> str:
    """Name of the Secret that a controller makes of an object."""
    other = None
    if manifest.kind == "ExternalSecret":
        other = manifest.get("spec", "target", "name")
    elif manifest.kind == "Certificate":
        other = manifest.get("spec", "secretName")
    return other if isinstance(other, str) and other else manifest.name


def step(manifest: views.Object) -> Step | None:
    """When an object is first applied; None for what a sync does not apply."""
    phases = manifest.phases
    if phases:
        ran = [_PHASES[phase] for phase in phases if phase in _PHASES]
        return (min(ran), manifest.wave) if ran else None
    return None if is_hook_of_no_phase(manifest) else (1, manifest.wave)


def is_hook_of_no_phase(manifest: views.Object) -> bool:
    """Whether Argo CD takes an object for a hook that never runs, such as a Helm test, and so never applies it."""
    annotations = manifest.annotations
    if argo.HOOK in annotations:
        return not manifest.phases
    helm = annotations.get(argo.HELM_HOOK)
    return helm is not None and not manifest.phases and "crd-install" not in argo.listed(helm)


def shown(step: Step) -> str:
    """A step as it is told: ``PreSync -5``."""
    return f"{('PreSync', 'Sync', 'PostSync')[step[0]]} {step[1]}"


class Order(Struct, frozen=True):
    """What a sync of a release comes to when.

    Attributes:
        steps: The objects that a sync applies, each with its step.
        needed: What the pods of each of them need.
        provided: What the release brings.
    """

    steps: tuple[tuple[Step, views.Object], ...]
    needed: dict[int, frozenset[Named]]
    provided: dict[Named, views.Object]


def order(release: views.Release) -> Order:
    """The order of a release."""
    return release.once(_order)


def _order(release: views.Release) -> Order:
    brings = provided(release)
    steps = [(step(manifest), manifest) for manifest in release.objects]
    applied = tuple((when, manifest) for when, manifest in steps if when is not None)
    needed = {
        manifest.index: needs(manifest, brings)
        for _, manifest in applied
        if manifest.pod is not None
    }
    return Order(applied, needed, brings)
