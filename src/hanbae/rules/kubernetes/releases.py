"""Objects that are there twice, or too large for the cluster's store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hanbae import subjects
from hanbae.rules import claims, rulebook, views
from hanbae.rules.kubernetes import shapes

_LARGEST: Final = 1024 * 1024
_CONFIG_MAP: Final = "https://kubernetes.io/docs/concepts/configuration/configmap/"
_TRACKING: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/"
_REPEATED: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/multiple_sources/#resources"


@rulebook.of_release("KUB030", "error", source=_REPEATED, essential=True)
def twice(release: views.Release) -> Iterator[rulebook.Hit]:
    """Two objects of one name in a release: the last one wins, or none does."""
    by_name: dict[tuple[str, str, str, str], views.Object] = {}
    for manifest in release.objects:
        name = manifest.get("metadata", "name")
        if not isinstance(name, str) or not name:
            continue
        key = (manifest.api_version.rpartition("/")[0], manifest.kind, manifest.namespace, name)
        first = by_name.setdefault(key, manifest)
        if first is not manifest:
            facts = {"object": manifest.label, "template": first.template}
            yield rulebook.Hit(views.On(manifest, ("metadata", "name")), facts)


@rulebook.of_release("KUB031", "error", source=_CONFIG_MAP, essential=True)
def too_large(release: views.Release) -> Iterator[rulebook.Hit]:
    """A ConfigMap or a Secret over 1 MiB: the API server refuses it."""
    for manifest in release.of_kind("ConfigMap", "Secret"):
        # In base64, four characters are three bytes.
        encoded = ("data",) if manifest.kind == "Secret" else ("binaryData",)
        plain = ("stringData",) if manifest.kind == "Secret" else ("data",)
        size = sum(_size(manifest.get(part)) * 3 // 4 for part in encoded)
        size += sum(_size(manifest.get(part)) for part in plain)
        if size > _LARGEST:
            facts = {"object": manifest.label, "size": f"{size / _LARGEST:.1f}"}
            yield rulebook.Hit(views.On(manifest, ("metadata", "name")), facts)


def _size(data: Any) -> int:
    values = shapes.mapping(data).values()
    return sum(len(value.encode()) for value in values if isinstance(value, str))


@rulebook.of_project("KUB032", "error", source=_TRACKING, essential=True)
def claimed_twice(project: views.Project) -> Iterator[rulebook.Hit]:
    """An object that two Applications both have: each undoes what the other does."""
    for (object_, file, first, second), places in _grouped(project.clashes).items():
        if not first and not second:
            facts = {"object": object_, "environments": ", ".join(places)}
            yield rulebook.Hit(subjects.Place(file), facts, "overlays")
        elif not first or not second:
            # What an overlay of the whole repository brings belongs to no service.
            facts = {"object": object_, "service": first or second}
            facts["environments"] = ", ".join(places)
            yield rulebook.Hit(subjects.Place(file), facts, "mixed")
        elif first == second:
            facts = {"object": object_, "service": first, "environments": ", ".join(places)}
            yield rulebook.Hit(subjects.Place(file), facts, "environments")
        else:
            facts = {"object": object_, "first": first, "second": second}
            facts["environments"] = ", ".join(places)
            yield rulebook.Hit(subjects.Place(file), facts, "services")


def _grouped(clashes: Iterable[claims.Clash]) -> dict[tuple[str, str, str, str], list[str]]:
    """Object, file and both services → the environments: what is so in each of them is one finding."""
    groups: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for clash in clashes:
        (first, environment), (second, other) = clash.first, clash.second
        key = (clash.object, clash.file, first, second)
        groups.setdefault(key, {}).update({environment: None, other: None})
    return {key: sorted(places) for key, places in groups.items()}
