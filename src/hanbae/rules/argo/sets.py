"""ApplicationSets, by what they make: expressions that stay as they are, names twice, folders that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import patterns
from hanbae.argo import application_sets, set_templates
from hanbae.rules import declaring, rulebook, views
from hanbae.rules.argo.applications import Spec, specs
from hanbae.rules.argo.sources import git_sources, is_own

_GO: Final = "https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/#migration-guide"
_SETS: Final = "https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/"
_TEMPLATE: Final[declaring.Keys] = ("spec", "template")
# How the parameters of a `clusters` generator are called, for which a selector beside it may ask.
_CLUSTER_KEYS: Final = ("name", "nameNormalized", "server", "project", "metadata.", "values.")
_COMMIT: Final = patterns.lazy(r"[0-9a-f]{7,64}")
_VERSION: Final = patterns.lazy(r"v?[0-9]+\.[0-9x*]")
_RANGE: Final = frozenset("<>~^")


class Expansion(Struct, frozen=True):
    """A set among the files, and the Applications that it makes.

    Attributes:
        declared: The set.
        applications: They.
    """

    declared: declaring.Declared
    applications: tuple[application_sets.Expanded, ...]


def expansions(project: views.Project) -> tuple[Expansion, ...]:
    """The sets among the files, expanded."""
    return project.once(_expansions)


def _expansions(project: views.Project) -> tuple[Expansion, ...]:
    def own(url: Any) -> bool:
        return is_own(project, {"repoURL": url})

    results = []
    for declared in project.declared:
        spec = declared.get("spec")
        if declared.kind == "ApplicationSet" and isinstance(spec, dict):
            expanded = application_sets.expand(spec, project.tree, own)
            results.append(Expansion(declared, expanded))
    return tuple(results)


@rulebook.of_project("ARG042", "error", source=_GO, essential=True)
def expression_that_stays(project: views.Project) -> Iterator[rulebook.Hit]:
    """An expression of the other template language, or one that asks for what no generator gives."""
    for expansion in expansions(project):
        declared = expansion.declared
        go = declared.get("spec", "goTemplate") is True
        find = set_templates.plain_in_go if go else set_templates.go_in_plain
        first = next(
            (
                (keys, expression)
                for keys, text in _texts(declared.get(*_TEMPLATE), _TEMPLATE)
                if (expression := find(text)) is not None
            ),
            None,
        )
        if first is not None:
            facts = {"object": declared.label, "expression": first[1][:80]}
            yield rulebook.Hit(declared.place(*first[0]), facts, "bare" if go else "")
            continue
        missing = {
            keys: name
            for application in expansion.applications
            for keys, name in application.missing.items()
        }
        for keys, name in missing.items():
            facts = {"object": declared.label, "expression": name[:80]}
            yield rulebook.Hit(declared.place(*_TEMPLATE, *keys), facts, "missing")


def _texts(node: Any, keys: declaring.Keys) -> Iterator[tuple[declaring.Keys, str]]:
    if isinstance(node, str):
        yield keys, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*keys, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, (*keys, index))


@rulebook.of_project("ARG043", "error", source=_SETS, essential=True)
def one_name_twice(project: views.Project) -> Iterator[rulebook.Hit]:
    """A set that makes two Applications of one name, or none at all: the controller refuses, or does nothing."""
    for expansion in expansions(project):
        declared = expansion.declared
        if not expansion.applications:
            if declared.get("spec", "generators"):
                place = declared.place("spec", "generators")
                facts = {"object": declared.label}
                yield rulebook.Hit(place, facts, "none", severity="warning")
            continue
        names: dict[str, int] = {}
        for application in expansion.applications:
            name = str(_part(application.document, "metadata", "name") or "")
            if name and "{{" not in name:
                names[name] = names.get(name, 0) + 1
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            facts = {
                "object": declared.label,
                "name": twice[0][:80],
                "count": str(names[twice[0]]),
            }
            yield rulebook.Hit(declared.place(*_TEMPLATE, "metadata", "name"), facts)
            continue
        common = application_sets.common_name(declared.get("spec"))
        if common is not None:
            facts = {"object": declared.label, "name": common[:80]}
            place = declared.place(*_TEMPLATE, "metadata", "name")
            yield rulebook.Hit(place, facts, "alike")


@rulebook.of_project("ARG044", "error", source=_SETS, essential=True)
def folder_not_there(project: views.Project) -> Iterator[rulebook.Hit]:
    """A source whose folder is not in the repository: Argo CD says that the path does not exist."""
    for spec in specs(project):
        for pointer, source in git_sources(spec):
            if spec.declared.kind == "Application" and _is_absent(project, source):
                yield _absent(spec, (*pointer, "path"), str(source["path"]))
    for expansion in expansions(project):
        absent: dict[tuple[Any, ...], str] = {}
        for application in expansion.applications:
            for pointer, part in _sources_of(application.document):
                if _is_absent(project, part):
                    absent.setdefault((*pointer, "path"), str(part["path"]))
        for keys, path in absent.items():
            facts = {"object": expansion.declared.label, "path": path[:120]}
            yield rulebook.Hit(expansion.declared.place(*_TEMPLATE, *keys), facts)


def _absent(spec: Spec, keys: declaring.Keys, path: str) -> rulebook.Hit:
    return rulebook.Hit(spec.place(*keys), {"object": spec.declared.label, "path": path[:120]})


def _sources_of(
    document: Mapping[str, Any],
) -> Iterator[tuple[declaring.Keys, Mapping[str, Any]]]:
    single = _part(document, "spec", "source")
    several = _part(document, "spec", "sources")
    if isinstance(single, dict):
        yield ("spec", "source"), single
    for index, source in enumerate(several if isinstance(several, list) else ()):
        if isinstance(source, dict):
            yield ("spec", "sources", index), source


def _is_absent(project: views.Project, source: Mapping[str, Any]) -> bool:
    """Whether a source of this repository names a folder that neither this commit nor an environment's branch has."""
    path, revision = str(source.get("path") or ""), str(source.get("targetRevision") or "")
    if not path or "{{" in path or source.get("chart") or not is_own(project, dict(source)):
        return False
    if _is_fixed(revision):
        return False  # an older commit may well have it
    folder = "/".join(part for part in path.split("/") if part not in ("", "."))
    if ".." in folder or not folder:
        return False
    trees = (project.tree, *project.branches.values())
    return not any(_has(tree.files(folder), tree.links(), folder) for tree in trees)


def _has(below: Mapping[str, str], links: Mapping[str, str], folder: str) -> bool:
    # Below a link git lists nothing, so what is there is not known here.
    return bool(below) or any(f"{folder}/".startswith(f"{link}/") for link in links)


@rulebook.of_project("ARG045", "warning", source=_SETS, essential=True)
def selector_beside_clusters(project: views.Project) -> Iterator[rulebook.Hit]:
    """A selector beside `clusters` instead of in it: it is asked of the parameters, not of the clusters' labels."""
    for declared in project.declared:
        if declared.kind != "ApplicationSet":
            continue
        for keys, generator in _generators(
            declared.get("spec", "generators"), ("spec", "generators")
        ):
            labels = _part(generator, "selector", "matchLabels")
            if "clusters" not in generator or not isinstance(labels, dict):
                continue
            if not all(str(label).startswith(_CLUSTER_KEYS) for label in labels):
                facts = {"object": declared.label, "label": str(next(iter(labels)))[:80]}
                yield rulebook.Hit(declared.place(*keys, "selector"), facts)


def _generators(
    node: Any, keys: declaring.Keys
) -> Iterator[tuple[declaring.Keys, Mapping[str, Any]]]:
    for index, generator in enumerate(node if isinstance(node, list) else ()):
        if isinstance(generator, dict):
            yield (*keys, index), generator
            for outer in ("matrix", "merge"):
                inner = _part(generator, outer, "generators")
                yield from _generators(inner, (*keys, index, outer, "generators"))


def _part(node: Any, *keys: str) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _is_fixed(revision: str) -> bool:
    """Whether a revision is a commit, a tag, a version or a range of them: what it has is not in these files."""
    return bool(
        _COMMIT.fullmatch(revision)
        or _VERSION.match(revision)
        or revision.startswith("refs/tags/")
        or _RANGE & frozenset(revision)
    )
