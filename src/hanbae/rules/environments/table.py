"""The policy against its own table of environments, and environments that get in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from hanbae.policy import documents, environments, naming
from hanbae.rules import rulebook, views

_MOST_SHARING: Final = 20
"""Environments of one namespace that a further one is compared with: the others are found fault with already."""
_TABLE: Final = "deployment-policy.ko.md, 환경"


class _Row(Struct, frozen=True):
    """A row of the table, and the names by which teams call the environment."""

    title: str
    names: tuple[str, ...]
    platform: str
    branch: str = ""
    sync: str = ""


_ROWS: Final = (
    _Row("local", ("local",), "compose"),
    _Row("development", ("dev", "develop", "development"), "kubernetes", "develop", "auto"),
    _Row("staging", ("staging", "stage"), "kubernetes", "release", "manual"),
    _Row("production", ("production", "prod"), "kubernetes", "main", "manual"),
)


@rulebook.of_project("ENV003", "warning", source=_TABLE, essential=False)
def deviating(project: views.Project) -> Iterator[rulebook.Hit]:
    """An environment that the policy's table has otherwise."""
    declared = project.policy.environments
    for row in _ROWS:
        name = next((alias for alias in row.names if alias in declared), None)
        if name is None:
            place = project.place("environments")
            yield rulebook.Hit(place, {"row": row.title}, "row", severity="notice")
            continue
        settings, key = declared[name], f"environments.{name}"
        facts = {"environment": name, "row": row.title}
        if settings.platform != row.platform:
            values = {"value": settings.platform, "wanted": row.platform}
            yield rulebook.Hit(project.place(f"{key}.platform"), {**facts, **values}, "platform")
        elif row.branch and settings.branch != row.branch:
            values = {"value": settings.branch or "-", "wanted": row.branch}
            yield rulebook.Hit(project.place(f"{key}.branch"), {**facts, **values}, "branch")
        if row.sync == "manual" and settings.sync == "auto":
            yield rulebook.Hit(project.place(f"{key}.sync"), facts, "automated", severity="error")
        elif row.sync == "auto" and settings.sync == "manual":
            yield rulebook.Hit(project.place(f"{key}.sync"), facts, "manual")


@rulebook.of_project(
    "ENV004", "error", source="hanbae.yaml: environments.*.namespace_suffix", essential=True
)
def one_cluster(project: views.Project) -> Iterator[rulebook.Hit]:
    """Two environments whose namespaces are, or may be, the same ones of one cluster."""
    policy = project.policy
    owners: dict[str, list[str]] = {}
    for name in project.environments:
        place = project.place(f"environments.{name}.namespace_suffix")
        for other, namespace in _sharing(owners, policy, name).items():
            first, second = policy.environments[name], policy.environments[other]
            facts = {"environment": name, "other": other, "namespace": namespace}
            together = environments.share_pods_cluster(first, second)
            if together:
                yield rulebook.Hit(place, facts, "same")
            elif together is None:
                nameless = name if environments.workload(first) is None else other
                yield rulebook.Hit(
                    place, {**facts, "nameless": nameless}, "current", severity="warning"
                )


def _sharing(
    owners: dict[str, list[str]], policy: documents.Policy, environment: str
) -> dict[str, str]:
    """Earlier environment → the first namespace that this one would have in common with it.

    Environments are looked up by namespace: thousands of them have millions of pairs.
    """
    shared: dict[str, str] = {}
    for namespace in sorted(_namespaces(policy, environment)):
        others = owners.setdefault(namespace, [])
        for other in others:
            shared.setdefault(other, namespace)
        if len(others) < _MOST_SHARING:
            others.append(environment)
    order = [name for name in policy.environments if name in shared] if len(shared) > 1 else shared
    return {name: shared[name] for name in order}


@rulebook.of_project("ENV005", "warning", source=_TABLE, essential=False)
def one_branch(project: views.Project) -> Iterator[rulebook.Hit]:
    """Two environments that deploy one branch: what is pushed for one is deployed to both."""
    first: dict[str, str] = {}
    for name in project.environments:
        branch = project.policy.environments[name].branch
        if branch is None:
            continue
        if branch in first:
            facts = {"environment": name, "other": first[branch], "branch": branch}
            yield rulebook.Hit(project.place(f"environments.{name}.branch"), facts)
        first.setdefault(branch, name)


@rulebook.of_project("ENV015", "error", source="deployment-policy.ko.md, Kustomize", essential=True)
def no_overlay(project: views.Project) -> Iterator[rulebook.Hit]:
    """An environment whose overlay is not there."""
    for name, settings in project.policy.environments.items():
        if not settings.overlay:
            continue
        names = ("kustomization.yaml", "kustomization.yml", "Kustomization")
        if not any(f"{settings.overlay}/{file}" in project.tree.files() for file in names):
            facts = {"environment": name, "overlay": settings.overlay}
            yield rulebook.Hit(project.place(f"environments.{name}.overlay"), facts)


def _namespaces(policy: documents.Policy, environment: str) -> set[str]:
    return set(naming.namespaces(policy, environment))
