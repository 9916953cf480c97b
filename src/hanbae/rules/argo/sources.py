"""What an Application deploys: which commit, as which release, with which values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from hanbae import patterns
from hanbae.argo import applications
from hanbae.policy import folders, naming
from hanbae.results import findings
from hanbae.rules import declaring, rulebook, views
from hanbae.rules.argo import registering as argo
from hanbae.rules.argo.applications import Spec, specs

_TRACKING: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/tracking_strategies/"
# Keys on the way to a generator, each matrix or merge around it adding three. Argo CD allows one of
# them in another.
_DEEPEST: Final = 12
_EXPRESSION: Final = patterns.lazy(r"\{\{[^{}]*\}\}")
# What makes a values file no plain name: a glob (since Argo CD 3.4), an expression of a set, a
# variable or the name of another source.
_PATTERN: Final = ("*", "?", "[", "{{", "$")


def git_sources(spec: Spec) -> Iterator[tuple[declaring.Keys, dict[str, Any]]]:
    """The git sources of an Application, each with its place in the spec; charts of registries have no branch."""
    single, several = spec.get("source"), spec.get("sources")
    results: list[tuple[declaring.Keys, Any]] = [(("source",), single)]
    results += [
        (("sources", index), part)
        for index, part in enumerate(several if isinstance(several, list) else ())
    ]
    for pointer, source in results:
        if isinstance(source, dict) and not source.get("chart") and source.get("repoURL"):
            yield pointer, source


def is_own(project: views.Project, source: dict[str, Any]) -> bool:
    """Whether a source is this repository."""
    return applications.is_same_repository(source.get("repoURL"), project.policy.argocd.repository)


@rulebook.of_project("ARG037", "error", source=_TRACKING, essential=True)
def not_the_branch(project: views.Project) -> Iterator[rulebook.Hit]:
    """No revision, HEAD, or another branch than the environment's."""
    for spec in specs(project):
        branch = spec.settings.branch if spec.settings is not None else None
        for pointer, source in git_sources(spec):
            own = branch if is_own(project, source) else None
            keys = (*spec.keys, *pointer, "targetRevision")
            yield from _revision(project, spec.declared, keys, source.get("targetRevision"), own)
        for keys, git in _generators(spec.declared):
            own = branch if is_own(project, git) else None
            revision = git.get("revision")
            yield from _revision(project, spec.declared, (*keys, "revision"), revision, own)


def _generators(declared: declaring.Declared) -> Iterator[tuple[declaring.Keys, dict[str, Any]]]:
    """The git generators of a set, those within a matrix or a merge included."""
    if declared.kind != "ApplicationSet":
        return
    waiting: list[tuple[declaring.Keys, Any]] = [
        (("spec", "generators"), declared.get("spec", "generators"))
    ]
    while waiting:
        pointer, node = waiting.pop()
        for index, generator in enumerate(node if isinstance(node, list) else ()):
            if not isinstance(generator, dict) or len(pointer) > _DEEPEST:
                continue
            if isinstance(generator.get("git"), dict):
                yield (*pointer, index, "git"), generator["git"]
            for outer in ("matrix", "merge"):
                if isinstance(generator.get(outer), dict):
                    inner = generator[outer].get("generators")
                    waiting.append(((*pointer, index, outer, "generators"), inner))


def _revision(
    project: views.Project,
    declared: declaring.Declared,
    keys: declaring.Keys,
    value: Any,
    branch: str | None,
) -> Iterator[rulebook.Hit]:
    revision = str(value or "").removeprefix("refs/heads/")
    if "{{" in revision:
        return
    facts = {"object": declared.label, "value": revision[:80], "branch": branch or "…"}
    # A repository with one branch, which hanbae did not lay, may well follow its default branch: nothing breaks.
    severity: findings.Severity | None = (
        "warning" if project.policy.profile == "essential" else None
    )
    if not revision:
        yield rulebook.Hit(declared.place(*keys), facts, "missing", severity=severity)
    elif revision == "HEAD":
        yield rulebook.Hit(declared.place(*keys), facts, "head", severity=severity)
    elif branch is not None and revision != branch:
        yield rulebook.Hit(declared.place(*keys), facts)


@rulebook.of_project("ARG038", "error", source=argo.HELM, essential=True)
def another_release(project: views.Project) -> Iterator[rulebook.Hit]:
    """A release name that is not the policy's: all objects would be called otherwise."""
    charts = {str(naming.chart(project.policy, name)): name for name in project.services}
    for spec in specs(project):
        name = str(spec.declared.get(*spec.metadata, "name") or "")
        for pointer, source in git_sources(spec):
            path = folders.normal(source.get("path"))
            if not is_own(project, source) or not _may_be_of(path, charts):
                continue
            written = spec.get(*pointer, "helm", "releaseName")
            actual = str(written or name)
            if not written and _names_release(spec, pointer):
                continue
            by_name = project.shared.application_names(spec.environment)
            service = by_name.get(name) or charts.get(path, "*")
            if spec.settings is None and "{environment}" in project.policy.services.release:
                continue
            expected = naming.release(project.policy, service, spec.environment)
            if actual != expected and not (written and "{{" in actual):
                facts = {"object": spec.declared.label, "value": actual, "release": expected}
                place = spec.place(*pointer, "helm", "releaseName")
                yield rulebook.Hit(place, facts, "" if written else "missing")


def _may_be_of(path: str, charts: Iterable[str]) -> bool:
    """Whether a path, in which expressions may stand for anything, is that of a chart."""
    pattern = _EXPRESSION.sub("*", path)
    return any(fnmatchcase(chart, pattern) for chart in charts)


def _names_release(spec: Spec, pointer: declaring.Keys) -> bool:
    """Whether another of several sources names a release: then this one is there for its files, by its ``ref``."""
    others = [source for keys, source in _all_sources(spec) if keys != pointer]
    return bool(spec.get(*pointer, "ref")) and any(
        isinstance(other.get("helm"), dict) and other["helm"].get("releaseName") for other in others
    )


def _all_sources(spec: Spec) -> Iterator[tuple[declaring.Keys, dict[str, Any]]]:
    several = spec.get("sources")
    for index, source in enumerate(several if isinstance(several, list) else ()):
        if isinstance(source, dict):
            yield ("sources", index), source


def _referred(project: views.Project, spec: Spec) -> Iterator[tuple[declaring.Keys, list[str]]]:
    """The values files that sources take from another source of this repository: ``$values/envs/dev.yaml``."""
    names = {
        f"${source['ref']}/"
        for _, source in _all_sources(spec)
        if source.get("ref") and is_own(project, source)
    }
    for pointer, source in _all_sources(spec):
        helm = source.get("helm")
        if not isinstance(helm, dict) or helm.get("ignoreMissingValueFiles") is True:
            continue
        value = helm.get("valueFiles")
        if not isinstance(value, list):
            continue
        files = [str(file) for file in value]
        # What refers to no other source has an empty place here; it is looked at with its own source.
        yield (
            (*pointer, "helm", "valueFiles"),
            [
                next((f"/{file[len(name) :]}" for name in names if file.startswith(name)), "$")
                for file in files
            ],
        )


@rulebook.of_project("ARG039", "error", source=argo.HELM, essential=True)
def values_that_are_not_there(project: views.Project) -> Iterator[rulebook.Hit]:
    """Values files that git ignores or does not have, or that win over the environment's."""
    charts = [str(naming.chart(project.policy, name)) for name in project.services]
    for spec in specs(project):
        for pointer, source in git_sources(spec):
            helm = source.get("helm")
            value = helm.get("valueFiles") if isinstance(helm, dict) else None
            if spec.held or not is_own(project, source) or not isinstance(value, list):
                continue
            files, keys = [str(file) for file in value], (*pointer, "helm", "valueFiles")
            path = folders.normal(source.get("path"))
            yield from _order(project, spec, keys, files)
            if spec.get(*pointer, "helm", "ignoreMissingValueFiles") is not True:
                where = charts if "{{" in path else [path]
                yield from _missing(project, spec, keys, _paths(files, where))
        if not spec.held:
            for keys, files in _referred(project, spec):
                yield from _missing(project, spec, keys, _paths(files, []))


def _order(
    project: views.Project, spec: Spec, keys: declaring.Keys, files: list[str]
) -> Iterator[rulebook.Hit]:
    if spec.settings is None:
        return
    ours = naming.values_sources(project.policy, "x", spec.environment)
    own = ours[-1].inside if ours else ""
    if own in files and files[-1] != own:
        facts = {"object": spec.declared.label, "file": own, "last": files[-1][:80]}
        place = spec.place(*keys, files.index(own))
        yield rulebook.Hit(place, facts, "order", severity="warning")


def _paths(files: list[str], charts: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """The values files that are plain names: their index, their name, and where they may be."""
    for index, file in enumerate(files):
        if not any(part in file for part in _PATTERN) and ".." not in file:
            outside = file.startswith("/")
            yield (
                index,
                file,
                [file[1:]] if outside else [folders.path(chart, file) for chart in charts],
            )


def _missing(
    project: views.Project,
    spec: Spec,
    keys: declaring.Keys,
    paths: Iterator[tuple[int, str, list[str]]],
) -> Iterator[rulebook.Hit]:
    files = project.tree.files()
    for index, file, places in paths:
        if places and not any(place in files for place in places):
            ignored = any(project.tree.ignored(place) for place in places)
            facts = {"object": spec.declared.label, "file": file[:80]}
            yield rulebook.Hit(spec.place(*keys, index), facts, "ignored" if ignored else "")
