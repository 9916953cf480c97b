"""Selectors that hold a version: of a workload they can never change, and the next version does change them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae import errors, libyaml, patterns, subjects
from hanbae.images import references
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kustomize import scanning

_SELECTOR: Final = (
    "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#label-selector-updates"
)
_WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
_VERSIONED: Final = frozenset({"helm.sh/chart", "app.kubernetes.io/version", "helm.sh/version"})
_LOOSELY: Final = frozenset({"chart", "version", "tag", "release-version", "revision", "commit"})
# A version, with or without a chart's name before it, or a commit.
_VERSION: Final = patterns.lazy(r"(?:.*-)?v?[0-9]+\.[0-9]+(?:[.+_-].*)?|[0-9a-f]{7,40}")
_SHORTEST: Final = 5
"""Characters of a value that can be a version of this release and nothing else."""


@rulebook.of_release("KUB039", "warning", source=_SELECTOR, essential=True)
def version_in_selector(release: views.Release) -> Iterator[rulebook.Hit]:
    """A label in a selector that another version of the chart, or of the image, has another value of."""
    for manifest in release.of_kind(*_WORKLOADS):
        pointer = ("spec", "selector", "matchLabels")
        yield from _versions(release, manifest, pointer, "")
    for manifest in release.of_kind("Service"):
        yield from _versions(release, manifest, ("spec", "selector"), "service")


def _versions(
    release: views.Release, manifest: views.Object, pointer: views.Pointer, variant: str
) -> Iterator[rulebook.Hit]:
    for key, value in shapes.mapping(manifest.get(*pointer)).items():
        if isinstance(value, str) and _changes(release, manifest, str(key), value):
            facts = {"object": manifest.label, "label": str(key)[:80], "value": value[:80]}
            on = views.On(manifest, (*pointer, key))
            yield rulebook.Hit(_added_by(release, str(key)) or on, facts, variant)


def _changes(release: views.Release, manifest: views.Object, key: str, value: str) -> bool:
    if key in _VERSIONED:
        return True
    if key in _LOOSELY and _VERSION.fullmatch(value):
        return True
    if len(value) < _SHORTEST or not any(character.isdigit() for character in value):
        return False
    return value in release.service.once(_versions_of_chart) or value in _tags(manifest)


def _versions_of_chart(service: views.Service) -> frozenset[str]:
    """The versions in the chart's ``Chart.yaml``."""
    if service.kustomized:
        return frozenset()
    about = service.about or {}
    version, name = str(about.get("version")), str(about.get("name"))
    return frozenset({version, f"{name}-{version}", str(about.get("appVersion"))})


def _tags(manifest: views.Object) -> frozenset[str]:
    tags = set()
    for _, container in manifest.containers():
        try:
            tags.add(references.parse(str(container.get("image"))).tag)
        except errors.WrongUse:
            continue
    return frozenset(tags)


def _added_by(release: views.Release, key: str) -> subjects.Place | None:
    """The kustomization that adds a label to selectors; None where none does."""
    project = release.service.project
    folders = (
        built.folder
        for built in project.overlays
        if (built.environment, built.service) == (release.environment, release.service.name)
    )
    for folder in folders if release.service.kustomized else ():
        for path, data in scanning.scan(project.tree, folder).files.items():
            if path.rpartition("/")[2] in scanning.NAMES:
                place = _label(data, path, key)
                if place is not None:
                    return place
    return None


def _label(data: bytes, path: str, key: str) -> subjects.Place | None:
    content: Any = libyaml.mapping(data) or {}
    places = valuesfiles.parse(data, path)
    if key in shapes.mapping(content.get("commonLabels")):
        return places.place(("commonLabels", key))
    for index, entry in shapes.entries(content.get("labels")):
        if entry.get("includeSelectors") is True and key in shapes.mapping(entry.get("pairs")):
            return places.place(("labels", index, "pairs", key))
    return None
