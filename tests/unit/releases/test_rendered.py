"""The same model of an umbrella of two charts, of what Kustomize builds, and of a folder of manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import yaml
from tests.support import trees

from hanbae.argo import hooks
from hanbae.charts import pools, rendering
from hanbae.releases import objects, parts, reading

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Chart.Name }}-migrate
  annotations: {argocd.argoproj.io/hook: PreSync}
spec:
  template:
    spec:
      containers:
        - name: migrate
          image: "{{ .Values.global.imageRegistry }}/{{ .Values.image }}"
          command: [goose, -dir, /migrations, postgres, "$(DSN)", up]
          env: [{name: DSN, valueFrom: {secretKeyRef: {name: shop, key: {{ .Chart.Name }}-database-url}}}]
"""
CHART = "apiVersion: v2\nname: {}\nversion: 1.0.0\n"
DEPENDENCIES = "dependencies: [{name: auth, version: 1.0.0}, {name: orders, version: 1.0.0}]\n"


def read(manifests: Iterable[Mapping[str, Any]]) -> parts.Release:
    """The release that some manifests are."""
    rendered = [objects.Object(dict(data), "x", n, "shop") for n, data in enumerate(manifests)]
    return reading.of(rendered, service="shop", namespace="shop", name="shop")


async def test_20_umbrella_has_the_migrations_of_both_its_charts() -> None:
    files = {
        "c/Chart.yaml": CHART.format("shop") + DEPENDENCIES,
        "c/values.yaml": "global: {imageRegistry: registry.example.com}\n",
    }
    for name in ("auth", "orders"):
        files[f"c/charts/{name}/Chart.yaml"] = CHART.format(name)
        files[f"c/charts/{name}/values.yaml"] = f"image: shop/{name}:1\n"
        files[f"c/charts/{name}/templates/job.yaml"] = JOB
    tree = trees.MemoryTree({path: text.encode() for path, text in files.items()})
    request = pools.Release("shop", "shop").alone
    async with pools.opened(1) as pool:
        (answer,) = await rendering.answers(pool, tree, "c", [request])
    rendered = rendering.rendered(answer, chart="c")
    release = read(manifest.object for manifest in rendered.manifests)
    assert [
        (migration.database, migration.image.reference, migration.provable)
        for migration in release.migrations
    ] == [
        ("auth", "registry.example.com/shop/auth:1", None),
        ("orders", "registry.example.com/shop/orders:1", None),
    ]


BUILT = """\
apiVersion: v1
kind: Secret
metadata: {name: dev-shop-7k2c9mf4b8}
stringData: {auth-database-url: postgres://x}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: dev-auth-migrate
  annotations: {argocd.argoproj.io/hook: PreSync}
spec:
  template:
    spec:
      containers:
        - name: migrate
          image: registry.example.com/auth@sha256:00
          command: [sh, -c, 'goose -dir /m postgres "$DSN" up']
          env: [{name: DSN, valueFrom: {secretKeyRef: {name: dev-shop-7k2c9mf4b8, key: auth-database-url}}}]
"""


@pytest.mark.parametrize("style", ["18 built by Kustomize", "19 folder of manifests"])
def test_objects_are_read_by_the_names_that_they_will_have(style: str) -> None:
    release = read(yaml.safe_load_all(BUILT))
    (migration,) = release.migrations
    secret = "dev-shop-7k2c9mf4b8"
    assert migration.address == parts.Address(secret, "auth-database-url", "DSN"), style
    assert (migration.database, migration.image.reference) == (
        "auth",
        "registry.example.com/auth@sha256:00",
    )
    assert [(entry.name, entry.keys) for entry in release.makes] == [
        (secret, frozenset({"auth-database-url"}))
    ]
    assert [need.name for need in release.needs] == [secret]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"helm.sh/hook": "test"}, True),
        ({"helm.sh/hook": "test-success, test-failure"}, True),
        ({"helm.sh/hook": "test,pre-install"}, False),
        ({"helm.sh/hook": "crd-install"}, False),
        ({"helm.sh/hook": "test", "argocd.argoproj.io/hook": "Sync"}, False),
        ({"argocd.argoproj.io/hook": "Skip"}, True),
        ({}, False),
    ],
)
def test_what_argo_cd_never_applies(annotations: dict[str, str], *, expected: bool) -> None:
    manifest = {"metadata": {"annotations": annotations}}
    assert hooks.is_ignored(manifest) is expected


@pytest.mark.parametrize("annotation", ["PostSync,PreSync", "PreSync,PostSync"])
def test_a_migration_of_several_phases_migrates_in_the_first_of_them(annotation: str) -> None:
    twice = yaml.safe_load_all(BUILT.replace("hook: PreSync", f"hook: '{annotation}'"))
    once = yaml.safe_load_all(BUILT.replace("hook: PreSync", "hook: Sync").replace("auth", "zoo"))
    migrations = read([*once, *twice]).migrations
    assert [(entry.database, entry.phase) for entry in migrations] == [
        ("auth", "PreSync"),
        ("zoo", "Sync"),
    ]
