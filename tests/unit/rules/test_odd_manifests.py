"""Whatever shape a chart's objects and values have, the rules about secrets and migrations say something or nothing."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.releases import manifest, pod, project, release, sealed

from hanbae.rules import rulebook, views

RULES = [rule for code, rule in rulebook.rules().items() if code[:3] in ("SEC", "MIG")]
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


# Kind, apiVersion and the form of metadata are what the renderer vouches for.
PLACES = [
    path
    for path in places(OBJECTS)
    if len(path) > 2 or (len(path) == 2 and path[1] not in ("kind", "apiVersion", "metadata"))
]
VALUE_PLACES = [path for path in places(VALUES) if path]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), ODD), max_size=3, unique_by=lambda change: change[0]
    ),
    st.lists(st.tuples(st.sampled_from(VALUE_PLACES), ODD), max_size=2),
)
def test_no_rule_fails(objects: list[tuple[Any, Any]], values: list[tuple[Any, Any]]) -> None:
    changed, merged = copy.deepcopy(OBJECTS), copy.deepcopy(VALUES)
    for whole, changes in ((changed, objects), (merged, values)):
        # The deepest first, so that each place is still there.
        for path, odd in sorted(changes, key=lambda change: -len(change[0])):
            put(whole, path, copy.deepcopy(odd))
    heads = {"dev": {"services/auth/migrations/a/00002_a.sql": "x"}}
    view = release(changed, merged, of=project(FILES, branches=heads))
    scopes: dict[str, views.Release | views.Service | views.Project] = {
        "release": view,
        "service": view.service,
        "project": view.service.project,
    }
    for rule in RULES:
        assert isinstance(list(rule.check(scopes[rule.scope])), list)
