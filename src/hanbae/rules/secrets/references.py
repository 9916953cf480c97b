"""ConfigMaps and volume claims that pods name, and the registries that they pull from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from hanbae import errors
from hanbae.images import references
from hanbae.releases import images, needs, objects, parts
from hanbae.rules import manifest_names, rulebook, views
from hanbae.rules.argo import prerequisites

_CONFIG_MAPS: Final = (
    "https://kubernetes.io/docs/concepts/configuration/configmap/#using-configmaps"
)
_PULLING: Final = (
    "https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/"
)
_OF_CLUSTERS: Final = frozenset(
    {"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert", "linkerd-identity-trust-roots"}
)  # fmt: skip
"""ConfigMaps that a controller puts into every namespace."""
_NEAR: Final = 0.6


@rulebook.of_release("SEC020", "error", source=_CONFIG_MAPS, essential=True)
def not_made(release: views.Release) -> Iterator[rulebook.Hit]:
    """A ConfigMap or a volume claim that pods name and that nothing in the repository makes."""
    applied = _applied(release)
    model = release.model
    read = len(model.objects) == len(applied)  # what both leave out is nearly always the same
    all_makes = model.makes if read else needs.makes(applied)
    makes = {(entry.kind, entry.name) for entry in all_makes}
    missing: dict[tuple[str, str], list[parts.Need]] = {}
    for need in model.needs if read else needs.needs(applied):
        named = (need.kind, need.name)
        absent = (
            need.kind in manifest_names.KINDS
            and named not in makes
            and need.name not in _OF_CLUSTERS
        )
        if absent and need.by.namespace == release.namespace:
            missing.setdefault(named, []).append(need)
    for (kind, name), all_needs in missing.items():
        if _is_made_elsewhere(release, kind, name):
            continue
        labels = dict.fromkeys(f"{need.by.kind}/{need.by.name}" for need in all_needs)
        facts = {"kind": kind, "name": name, "objects": ", ".join(labels)[:300]}
        near = _near(release, applied, kind, name)
        on = views.On(all_needs[0].part.object, all_needs[0].part.pointer)
        if near:
            yield rulebook.Hit(on, {**facts, "near": near}, "near")
        else:
            yield rulebook.Hit(on, facts, severity="warning")


def _applied(release: views.Release) -> tuple[objects.Object, ...]:
    return tuple(
        manifest for manifest in release.objects if not prerequisites.is_hook_of_no_phase(manifest)
    )


def _near(release: views.Release, applied: Iterable[objects.Object], kind: str, name: str) -> str:
    """An object of the kind that the release makes and no pod names, called almost like the one that is missing."""
    named = {(need.kind, need.name) for need in needs.needs(applied)}
    unused = [
        entry.name
        for entry in needs.makes(applied)
        if entry.kind == kind and (kind, entry.name) not in named
    ]
    near = difflib.get_close_matches(name, unused, n=1, cutoff=_NEAR)
    if near or len(unused) != 1 or kind != "ConfigMap":
        return near[0] if near else ""
    # The only ConfigMap that no pod names, called after the release, is probably the one that is
    # meant.
    return unused[0] if unused[0].startswith((release.name, release.service.name)) else ""


def _is_made_elsewhere(release: views.Release, kind: str, name: str) -> bool:
    """Whether another file of the repository, another release or an operator's object may make it.

    What templates of other charts make has no name before they are rendered: there a name counts that begins like
    another service's release.
    """
    for manifest in release.objects:
        if manifest.kind not in needs.PLAIN_KINDS and _mentions(manifest.data, name):
            return True
    project = release.service.project
    if any(
        name == other or name.startswith(f"{other}-")
        for other in project.release_names
        if other != release.name
    ):
        return True
    return name in project.shared.manifest_names.get(kind, ())


def _mentions(node: object, name: str) -> bool:
    waiting = [node]
    while waiting:
        document = waiting.pop()
        if isinstance(document, dict):
            waiting.extend(value for key, value in document.items() if key != "metadata")
            metadata = document.get("metadata")
            if isinstance(metadata, dict) and metadata.get("name") == name:
                return True
        elif isinstance(document, list):
            waiting.extend(document)
        elif document == name:
            return True
    return False


@rulebook.of_release("SEC021", "error", source=_PULLING, essential=True)
def pulls_without_secret(release: views.Release) -> Iterator[rulebook.Hit]:
    """A pod without pull secrets that pulls from the registry for which others of the release have one."""
    applied = _applied(release)
    accounts = images.accounts(applied)
    is_modelled = applied == release.model.objects
    workloads = release.model.workloads if is_modelled else images.workloads(applied, accounts)
    secrets: dict[str, tuple[str, str]] = {}
    bare: list[tuple[objects.Object, str]] = []
    for workload in workloads:
        manifest = workload.object
        account = str(manifest.get(*(manifest.pod or ()), "serviceAccountName") or "default")
        foreign = account != "default" and account not in accounts  # it may well have one
        for image in workload.images:
            registry = _registry(image.reference)
            if registry and image.pull_secrets:
                secrets.setdefault(registry, (image.pull_secrets[0], manifest.label))
            elif registry and not foreign:
                bare.append((manifest, registry))
    reported: set[int] = set()
    for manifest, registry in bare:
        if registry in secrets and manifest.index not in reported:
            reported.add(manifest.index)
            secret, other = secrets[registry]
            facts = {
                "object": manifest.label,
                "registry": registry[:120],
                "secret": secret[:120],
                "other": other,
            }
            part = views.On(manifest, (*(manifest.pod or ()), "imagePullSecrets"))
            yield rulebook.Hit(part, facts)


def _registry(image: str) -> str:
    """What a pull secret is for: the registry; on Docker Hub the account, whose images alone are private there."""
    try:
        parsed = references.parse(image)
    except errors.WrongUse:
        return ""
    if parsed.host != "docker.io":
        return parsed.host
    owner = parsed.path.rpartition("/")[0]
    return f"docker.io/{owner}" if owner not in ("", "library") else ""
