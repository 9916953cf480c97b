"""Whatever shape a chart's objects and values have, and Argo CD's own, a rule says something or nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.releases import manifest, pod, project, release, sealed

from hanbae import libyaml
from hanbae.rules import rulebook, views

RULES = list(rulebook.rules().values())
MIGRATION = {
    "enabled": True,
    "databases": [{"name": "a_db", "urlKey": "URL", "dir": "a", "wave": -5}],
}
VALUES = {
    "migration": MIGRATION,
    "sealedSecret": {"encryptedData": {"A": "x"}, "certificate": "sha256:" + "a" * 64},
}
FROM = [{"secretRef": {"name": "auth-secrets"}}]
VOLUMES = [
    {"name": "a", "secret": {"secretName": "auth-secrets", "items": [{"key": "A", "path": "a"}]}},
    {"name": "b", "projected": {"sources": [{"secret": {"name": "auth-secrets"}}]}},
]
KEY = {"name": "U", "valueFrom": {"secretKeyRef": {"name": "auth-secrets", "key": "URL"}}}
HOOK = {"annotations": {"argocd.argoproj.io/hook": "Sync", "argocd.argoproj.io/sync-wave": "-5"}}
OBJECTS = [
    pod(envFrom=FROM, env=[KEY, {"name": "B", "value": "c"}], volumes=VOLUMES, imagePullSecrets=[{"name": "x"}]),
    {**pod("Job", "auth-service-migrate", command=["goose"], args=["-dir", "/m/a", "up"], env=[KEY]),
     "metadata": {"name": "auth-service-migrate", "labels": {"hanbae.dev/database": "a_db"}, **HOOK}},
    {**sealed(A=True, B=True)},
    manifest("ServiceAccount", automountServiceAccountToken=False, imagePullSecrets=[{"name": "x"}]),
    manifest("RoleBinding", subjects=[{"name": "auth"}]),
    manifest("Secret", "s", stringData={"a": "b"}),
    manifest("ConfigMap", "c", data={"A": "b"}),
    manifest("Ingress", spec={"tls": [{"secretName": "t"}]}),
    manifest("ExternalSecret", spec={"target": {"name": "e"}}),
]  # fmt: skip
DATA = Path(__file__).parents[2] / "data" / "objects"
KUBERNETES = list(libyaml.load_all((DATA / "kubernetes.yaml").read_bytes()))
DECLARED = list(libyaml.load_all((DATA / "argocd.yaml").read_bytes()))
FILES = {
    "services/auth/migrations/a/00001_a.sql": "-- +goose Up\nDROP TABLE a;\n",
    "services/auth/Dockerfile": "FROM a\nCOPY . /app\n",
}
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1.5, True, "", "x", "\n", [], [[]], [None], {}, {"a": None}, {1: 2}]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all parts of a value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def put(parent: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value


def inner(manifests: list[Any]) -> list[tuple[Any, ...]]:
    """The places in manifests; kind, apiVersion and the form of metadata are what the renderer vouches for."""
    return [
        path
        for path in places(manifests)
        if len(path) > 2 or (len(path) == 2 and path[1] not in ("kind", "apiVersion", "metadata"))
    ]


VALUE_PLACES = [path for path in places(VALUES) if path]


def changed(whole: Any, *changes: tuple[tuple[Any, ...], Any]) -> Any:
    """A copy of objects in which places are of another shape."""
    copied = copy.deepcopy(whole)
    # The deepest first, so that each place is still there.
    for path, odd in sorted(changes, key=lambda change: -len(change[0])):
        put(copied, path, copy.deepcopy(odd))
    return copied


def repository(declared: list[Any]) -> views.Project:
    """A repository with Argo CD's objects."""
    documents = "---\n".join(f"{json.dumps(document, indent=1)}\n" for document in declared)
    heads = {"dev": {"services/auth/migrations/a/00002_a.sql": "x"}}
    return project({**FILES, "argocd/all.yaml": documents}, branches=heads)


def look(view: views.Release, *scopes: str) -> None:
    """Have all rules of some scopes look at a release, or at what it belongs to."""
    views_of: dict[str, views.Release | views.Service | views.Project] = {
        "release": view,
        "service": view.service,
        "project": view.service.project,
    }
    for rule in RULES:
        if rule.scope in scopes:
            assert isinstance(list(rule.check(views_of[rule.scope])), list)


def check(objects: list[Any], values: Any = VALUES, declared: list[Any] = DECLARED) -> None:
    """Have all rules look at a release, and at Argo CD's objects beside it."""
    look(release(objects, values, of=repository(declared)), "release", "service", "project")


def changes(manifests: list[Any], most: int = 3) -> st.SearchStrategy[Any]:
    """A few places in manifests, each with what is there instead."""
    change = st.tuples(st.sampled_from(inner(manifests)), ODD)
    return st.lists(change, max_size=most, unique_by=lambda change: change[0])


@settings(max_examples=300)
@given(changes(OBJECTS), st.lists(st.tuples(st.sampled_from(VALUE_PLACES), ODD), max_size=2))
def test_no_rule_fails(objects: list[tuple[Any, Any]], values: list[tuple[Any, Any]]) -> None:
    check(changed(OBJECTS, *objects), changed(VALUES, *values))


@settings(max_examples=50)
@given(changes(KUBERNETES), changes(DECLARED))
def test_no_rule_fails_over_objects_of_kubernetes_and_of_argo_cd(
    objects: list[tuple[Any, Any]], declared: list[tuple[Any, Any]]
) -> None:
    check(changed(KUBERNETES, *objects), declared=changed(DECLARED, *declared))


def one_place_changed(manifests: list[Any], odd: Any) -> Iterator[tuple[int, list[Any]]]:
    """The manifests with one place of another shape, for each place; the others are the same each time."""
    for index, *rest in inner(manifests):
        others = list(manifests)
        others[index] = changed(manifests[index], (tuple(rest), odd))
        yield index, others


# What no set holds, and keys that are no text.
@pytest.mark.parametrize("odd", [[{"a": []}], {1: {"a": []}}, {"a": []}])
def test_no_rule_fails_wherever_a_list_or_a_mapping_is(odd: Any) -> None:
    # Rules of a repository see none of what a chart makes, so they have nothing to look at here.
    bare = repository([])
    for index, objects in one_place_changed(KUBERNETES, odd):
        # The others are none of its business, but for the ConfigMap that pods read.
        near = [
            manifest
            for number, manifest in enumerate(objects)
            if number == index or manifest["kind"] == "ConfigMap"
        ]
        look(release(near, VALUES, of=bare), "release", "service")
    if 1 not in odd:  # JSON has no such keys
        for _, declared in one_place_changed(DECLARED, odd):
            check([], declared=declared)
