"""Rules over overlays, built or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.apis import serving
from hanbae.policy import naming
from hanbae.results import findings
from hanbae.rules import builds, rulebook, sources, views
from hanbae.rules.kustomize import overlays, refused, scanning

_KUSTOMIZATION: Final = "https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/"
_MOVING: Final = frozenset(
    {"", "latest", "main", "master", "develop", "dev", "staging", "stable", "edge"}
)

_ARGO_CD: Final = "argoproj.io/"


@rulebook.of_project("KUS001", "error", source=_KUSTOMIZATION, essential=True)
def does_not_build(project: views.Project) -> Iterator[rulebook.Hit]:
    """An overlay that Kustomize cannot build, or that nothing here could build."""
    for refusal in _refused(project, "missing"):
        yield rulebook.Hit(refusal.place, {"value": refusal.value}, "missing")
    for built in project.overlays:
        if built.error:
            facts = {"folder": built.folder, "error": built.error}
            yield rulebook.Hit(refused.place(project, built), facts, "broken")
    waiting = [
        built
        for built in project.overlays
        if built.there and not (built.program or built.plain or built.refusals or built.error)
    ]
    if waiting:
        facts = {"folders": ", ".join(sorted({built.folder for built in waiting}))}
        place = subjects.Place(_file(project, waiting[0]))
        yield rulebook.Hit(place, facts, "unchecked", severity="notice")


@rulebook.of_project(
    "KUS003", "error", source="deployment-policy.ko.md, 네임스페이스", essential=True
)
def other_namespace(project: views.Project) -> Iterator[rulebook.Hit]:
    """An object of an overlay in a namespace that is not the policy's in that environment."""
    policy = project.policy
    bases = {*policy.namespaces, policy.services.namespace}
    for built in project.overlays:
        own = naming.namespaces(policy, built.environment)
        reported = set()
        for manifest in built.objects:
            name = _namespace(policy.environments[built.environment].kubernetes, manifest)
            if not name and built.service in project.chartless:
                continue  # its Application says where it goes
            if manifest.api_version.startswith(_ARGO_CD) and name == policy.argocd.namespace:
                continue  # an Application beside what it deploys
            if name is None or name in own or (manifest.template, name) in reported:
                continue
            reported.add((manifest.template, name))
            facts = {"object": manifest.label, "namespace": name, "environment": built.environment}
            facts["known"] = ", ".join(sorted(own))
            variant = "none" if not name else "base" if name in bases else "unknown"
            # What a service's own manifests name in a repository that hanbae did not lay, Argo CD applies there.
            foreign = policy.profile == "essential" and built.service in project.chartless
            is_named = variant == "unknown" and foreign
            severity: findings.Severity | None = "warning" if not name or is_named else None
            pointer = ("metadata", "name" if manifest.kind == "Namespace" else "namespace")
            place, _ = sources.place(project, views.On(manifest, pointer))
            yield rulebook.Hit(place, facts, variant, severity=severity)


def _namespace(version: str, manifest: views.Object) -> str | None:
    """The namespace that an object is, or is in; None for other objects of the whole cluster."""
    if manifest.kind == "Namespace":
        return manifest.name
    kind = serving.kind(version, manifest.api_version, manifest.kind)
    custom = serving.custom().get(f"{manifest.api_version}/{manifest.kind}")
    name = manifest.get("metadata", "namespace")
    if kind is not None and not kind.namespaced:
        return None
    if custom is not None and not custom["namespaced"]:
        return None
    if name is None and kind is None and custom is None:
        return None
    return name if isinstance(name, str) else ""


@rulebook.of_project(
    "KUS004",
    "error",
    source="https://argo-cd.readthedocs.io/en/stable/user-guide/kustomize/",
    essential=False,
)
def from_elsewhere(project: views.Project) -> Iterator[rulebook.Hit]:
    """A base from another place, or a path out of the repository."""
    for refusal in _refused(project, "remote", "outside"):
        yield rulebook.Hit(refusal.place, {"value": refusal.value}, refusal.variant)


@rulebook.of_project(
    "KUS006",
    "error",
    source="https://argo-cd.readthedocs.io/en/stable/user-guide/kustomize/",
    essential=True,
)
def needs_programs(project: views.Project) -> Iterator[rulebook.Hit]:
    """A kustomization that runs plugins or renders charts."""
    for refusal in _refused(project, "plugin"):
        yield rulebook.Hit(refusal.place, {"value": refusal.value})


def _refused(project: views.Project, *variants: str) -> Iterator[builds.Refusal]:
    """Refusals of some kinds, each once although several overlays share a base."""
    reported = set()
    for built in project.overlays:
        for refusal in built.refusals:
            key = (refusal.place, refusal.variant)
            if refusal.variant in variants and key not in reported:
                reported.add(key)
                yield refusal


@rulebook.of_project(
    "KUS005", "warning", source="deployment-policy.ko.md, Kustomize", essential=False
)
def not_used(project: views.Project) -> Iterator[rulebook.Hit]:
    """An overlay beside the policy's that no environment uses; one that is missing is ENV015's."""
    missing = {built.environment for built in project.overlays if not built.there}
    for name, folder in overlays.beside(project.policy, project.tree):
        facts = {"name": name, "folder": folder}
        if name in missing:
            continue
        if name in project.environments:
            place = project.place(f"environments.{name}.overlay")
            yield rulebook.Hit(place, facts, "unused")
        else:
            path = scanning.named(project.tree, folder) or folder
            yield rulebook.Hit(subjects.Place(path), facts, "stray")


@rulebook.of_project("KUS002", "warning", source=f"{_KUSTOMIZATION}images/", essential=False)
def moving_tag(project: views.Project) -> Iterator[rulebook.Hit]:
    """An image that a kustomization gives a tag which moves, and no digest."""
    reported = set()
    for built in project.overlays:
        for image in built.images:
            moves = image.tag in _MOVING or image.tag.startswith("latest")
            if moves and not image.digest and image.place not in reported:
                reported.add(image.place)
                facts = {"image": image.image, "tag": image.tag or "latest"}
                yield rulebook.Hit(image.place, facts)


def _file(project: views.Project, built: builds.Built) -> str:
    return scanning.named(project.tree, built.folder) or built.folder
