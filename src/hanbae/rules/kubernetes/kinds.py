"""Whether the API server of the environment's version has an object's kind, and takes the object."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from hanbae.apis import crds, schemas, serving
from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_DEPRECATIONS: Final = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"
_VALIDATION: Final = "https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation"


def schema(release: views.Release, manifest: views.Object) -> schemas.Schema | None:
    """The schema of an object's kind: Kubernetes' own, a well-known operator's, the chart's or the repository's."""
    version = release.settings.kubernetes
    own = schemas.of(version, manifest.api_version, manifest.kind)
    if own is not None:
        return own
    added = _added(release, manifest)
    return release.service.project.schemas.of(added, version) if added is not None else None


def _added(release: views.Release, manifest: views.Object) -> crds.Kind | None:
    key = (manifest.api_version, manifest.kind)
    return release.own_kinds.get(key) or release.service.project.own_kinds.get(key)


_PORT: Final = "port"
_DNS: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_FORMS: Final = {
    "[a-z]": _PORT,
    "^$|[a-z]": _PORT,
    "^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$": _PORT,
    "^$|^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$": _PORT,
    "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": "label",
    "^$|^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": "label",
    f"^{_DNS}(\\.{_DNS})*$": "subdomain",
    f"^$|^{_DNS}(\\.{_DNS})*$": "subdomain",
    f"^(\\*\\.)?{_DNS}(\\.{_DNS})*$": "subdomain",
    f"^$|^(\\*\\.)?{_DNS}(\\.{_DNS})*$": "subdomain",
    "^[0-9]+%$": "share",
    "^0*(100|[0-9]{1,2})%$": "share",
    "^[-._a-zA-Z0-9]+$": "key",
    "^[ -<>-~]+$": "variable",
    "^[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$": "amount",
}
"""Regular expression of a schema → the sentence that says it in words; a finding shows none of them."""
_VARIANTS: Final = frozenset({"required", "type", "enum", "pattern", "range", "format"})
"""What a schema can have against a value in few words; the rest is ``other``."""


@rulebook.of_release("KUB001", "error", source=_VALIDATION, essential=True)
def refused_by_schema(release: views.Release) -> Iterator[rulebook.Hit]:
    """A value of the wrong type, a missing field, a value that is not among those that are allowed."""
    names = release.once(_bad_port_names)
    for manifest, problem in release.once(_problems):
        if problem.keyword == "unknown":
            continue
        pointer = problem.pointer
        if problem.keyword == "pattern" and _refers_to(names, manifest, pointer):
            continue  # said of the port itself
        facts = {"object": manifest.label, "field": shapes.shown(pointer) or "."}
        if problem.keyword == "required":
            facts["missing"] = problem.name
        else:
            facts["wanted"] = problem.expected
        variant = problem.keyword if problem.keyword in _VARIANTS else "other"
        if variant == "pattern":
            variant = _FORMS.get(facts.pop("wanted"), variant)
        yield rulebook.Hit(views.On(manifest, pointer), facts, variant)


@rulebook.of_release("KUB002", "error", source=_VALIDATION, essential=True)
def unknown_field(release: views.Release) -> Iterator[rulebook.Hit]:
    """A field that the kind does not have: the API server drops it, or refuses the object."""
    for manifest, problem in release.once(_problems):
        if problem.keyword == "unknown":
            facts = {"object": manifest.label, "field": shapes.shown(problem.pointer)}
            # Cut off, because difflib takes quadratic time.
            near = difflib.get_close_matches(problem.name[:80], problem.fields, 1)
            if near:
                facts["nearest"] = near[0]
            variant = "near" if near else "none"
            yield rulebook.Hit(views.On(manifest, problem.pointer, key=True), facts, variant)


def _bad_port_names(release: views.Release) -> frozenset[Any]:
    """Names of containers' ports that their schema refuses: whatever refers to them is wrong for the same reason."""
    return frozenset(
        name
        for manifest, problem in release.once(_problems)
        if problem.keyword == "pattern" and _is_port_name(problem.pointer)
        if isinstance(name := manifest.get(*problem.pointer), str)
    )


def _refers_to(names: frozenset[Any], manifest: views.Object, pointer: schemas.Pointer) -> bool:
    """Whether a part is one of the names, and not where a port gets its name."""
    value = manifest.get(*pointer)
    return isinstance(value, str) and value in names and not _is_port_name(pointer)


def _is_port_name(pointer: schemas.Pointer) -> bool:
    return "containers" in pointer and pointer[-3:-2] == ("ports",) and pointer[-1] == "name"


def _problems(release: views.Release) -> list[tuple[views.Object, schemas.Problem]]:
    """The objects of a release that their schemas refuse, for :meth:`~hanbae.rules.views.Release.once`."""
    problems = []
    for manifest in release.objects:
        schema_ = schema(release, manifest)
        if schema_ is not None:
            problems += [(manifest, problem) for problem in manifest.once(_problems_by, schema_)]
    return problems


def _problems_by(manifest: views.Object, schema_: schemas.Schema) -> list[schemas.Problem]:
    return schema_.problems(manifest.data)


@rulebook.of_release("KUB003", "error", source=_DEPRECATIONS, essential=True)
def unknown_kind(release: views.Release) -> Iterator[rulebook.Hit]:
    """A kind, or an API version of one, that the cluster would not know."""
    version = release.settings.kubernetes
    for manifest in release.objects:
        kind = serving.kind(version, manifest.api_version, manifest.kind)
        if kind is not None and kind.served:
            continue
        if kind is None and schema(release, manifest) is not None:
            continue
        facts = {"object": manifest.label, "api": manifest.api_version, "version": version}
        life = serving.life(manifest.api_version, manifest.kind)
        if kind is not None:
            yield rulebook.Hit(
                views.On(manifest, ("apiVersion",)), facts, "off", severity="warning"
            )
        elif life is None:
            yield _unknown(manifest, facts, version)


def _unknown(manifest: views.Object, facts: dict[str, str], version: str) -> rulebook.Hit:
    others = serving.versions_of(version, manifest.kind)
    if others:
        return rulebook.Hit(
            views.On(manifest, ("apiVersion",)), {**facts, "known": ", ".join(others)}, "version"
        )
    if _is_builtin(manifest.api_version):
        near = difflib.get_close_matches(manifest.kind[:80], sorted(serving.names(version)), 1)
        nearest = {**facts, "nearest": near[0]} if near else facts
        return rulebook.Hit(views.On(manifest, ("kind",)), nearest, "near" if near else "kind")
    # An operator's: whether the cluster has it cannot be seen from here.
    return rulebook.Hit(views.On(manifest, ("apiVersion",)), facts, "custom", severity="notice")


def _is_builtin(api_version: str) -> bool:
    group = api_version.rpartition("/")[0]
    return group in _groups()


@cache
def _groups() -> frozenset[str]:
    return frozenset(
        full.rpartition("/")[0].rpartition("/")[0]
        for served in serving.data().versions.values()
        for full in served.kinds
    )


@rulebook.of_release("KUB004", "error", source=_DEPRECATIONS, essential=True)
def removed(release: views.Release) -> Iterator[rulebook.Hit]:
    """An API version that the environment's Kubernetes no longer has."""
    version = release.settings.kubernetes
    for manifest in release.objects:
        life = serving.life(manifest.api_version, manifest.kind)
        if life is None or life.removed is None or _is_later(life.removed, version):
            continue
        if serving.kind(version, manifest.api_version, manifest.kind) is not None:
            continue
        facts = {
            "object": manifest.label,
            "api": manifest.api_version,
            "removed": life.removed,
            "version": version,
            "instead": _named(life.replacement),
        }
        yield rulebook.Hit(views.On(manifest, ("apiVersion",)), facts)


@rulebook.of_release("KUB005", "warning", source=_DEPRECATIONS, essential=False)
def deprecated(release: views.Release) -> Iterator[rulebook.Hit]:
    """An API version that a later Kubernetes will not have."""
    version = release.settings.kubernetes
    for manifest in release.objects:
        life = serving.life(manifest.api_version, manifest.kind)
        if life is None or _is_later(life.deprecated, version):
            continue
        kind = serving.kind(version, manifest.api_version, manifest.kind)
        gone = life.removed is not None and not _is_later(life.removed, version)
        if (gone and kind is None) or (kind is not None and not kind.served):
            continue  # KUB004 and KUB003 say so
        facts = {"object": manifest.label, "api": manifest.api_version, "since": life.deprecated}
        facts["removed"], facts["instead"] = life.removed or "-", _named(life.replacement)
        yield rulebook.Hit(views.On(manifest, ("apiVersion",)), facts)


@rulebook.of_project("KUB033", "notice", source=_VALIDATION, essential=False)
def other_version(project: views.Project) -> Iterator[rulebook.Hit]:
    """A version of Kubernetes whose schemas hanbae does not have."""
    for name in project.environments:
        version = project.policy.environments[name].kubernetes
        used = serving.nearest(version)
        if used != version:
            facts = {"environment": name, "version": version, "used": used}
            yield rulebook.Hit(project.place(f"environments.{name}.kubernetes"), facts)


def _is_later(version: str, than: str) -> bool:
    return serving.number(version) > serving.number(than)


def _named(replacement: str | None) -> str:
    return replacement or "-"
