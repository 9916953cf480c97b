"""Which definitions of a repository an environment's cluster certainly gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import trees

from hanbae import libyaml
from hanbae.apis import serving
from hanbae.planning import committed_kinds, releases
from hanbae.policy import loading

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, namespace_suffix: -dev, overlay: k8s/overlays/dev}
  live: {branch: main, namespace_suffix: -live, overlay: k8s/overlays/live}
"""
MONITOR = ("example.com/v1", "example.com/v1/Monitor")
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: monitors.example.com}
spec:
  group: example.com
  names: {kind: Monitor, plural: monitors}
  scope: Namespaced
  versions:
    - {name: v1, served: true, storage: true}
    - {name: v1beta1, served: false, storage: false}
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: auth-dev}
spec:
  source:
    repoURL: https://git.example.com/shop.git
    path: services/auth/helm
    helm: {skipCrds: true}
"""
CHART = {
    "services/auth/helm/Chart.yaml": "apiVersion: v2\nname: auth\nversion: 0.1.0\n",
    "services/auth/helm/values-dev.yaml": "",
    "services/auth/helm/crds/monitors.yaml": CRD,
}
BASE = {
    "k8s/overlays/dev/kustomization.yaml": "resources: [../../base]\n",
    "k8s/overlays/live/kustomization.yaml": "resources: [own.yaml]\n",
    "k8s/overlays/live/own.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n",
    "k8s/base/kustomization.yaml": "resources: [monitors.yaml]\n",
    "k8s/base/monitors.yaml": CRD,
}


def added(files: dict[str, str], policy: str = POLICY) -> dict[str, tuple[str, ...]]:
    """The environments that get something, and what."""
    loaded, _ = loading.parse(policy.encode(), "hanbae.yaml")
    tree = trees.MemoryTree({path: text.encode() for path, text in files.items()})
    result = committed_kinds.of(loaded, tree)
    return {environment: names for environment, names in result.items() if names}


@pytest.mark.parametrize(
    "files",
    [CHART, BASE, CHART | BASE],
    ids=["of a chart", "of an overlay's base", "of both"],
)
def test_an_environment_has_the_kinds_that_it_gets(files: dict[str, str]) -> None:
    assert added(files) == {"dev": MONITOR}


UNCERTAIN = {
    "of no overlay": {"k8s/monitors.yaml": CRD},
    "of a chart that is nowhere": {
        path: text for path, text in CHART.items() if "values" not in path
    },
    "skipped by an Application": CHART | {"k8s/argocd/auth.yaml": APPLICATION},
    "skipped by a file beside the chart": CHART
    | {"services/auth/helm/.argocd-source.yaml": "helm: {skipCrds: true}\n"},
    "of a dependency": {
        path.replace("helm/crds", "helm/charts/sub/crds"): text for path, text in CHART.items()
    },
    "of a template": {
        path.replace("helm/crds", "helm/templates/crds"): text for path, text in CHART.items()
    },
    "not served": CHART
    | {
        "services/auth/helm/crds/monitors.yaml": CRD.replace("served: true", "served: false"),
    },
    "of a name that no cluster takes": CHART
    | {"services/auth/helm/crds/monitors.yaml": CRD.replace("kind: Monitor", "kind: Mönitor")},
    "patched in the overlay": BASE
    | {
        "k8s/overlays/dev/kustomization.yaml": "resources: [../../base]\npatches: [{path: less.yaml}]\n",
        "k8s/overlays/dev/less.yaml": (
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
            "metadata: {name: monitors.example.com}\n$patch: delete\n"
        ),
    },
    "patched by its kind": BASE
    | {
        "k8s/overlays/dev/kustomization.yaml": (
            "resources: [../../base]\npatches:\n  - target: {kind: CustomResourceDefinition}\n"
            "    patch: '[{op: remove, path: /spec/versions/0}]'\n"
        ),
    },
    "named in the overlay as no resource": BASE
    | {"k8s/base/kustomization.yaml": "resources: []\ncrds: [monitors.yaml]\n"},
    "of an overlay that is not built": BASE
    | {"k8s/base/kustomization.yaml": "resources: [monitors.yaml, https://example.com/x.yaml]\n"},
}


@pytest.mark.parametrize("case", UNCERTAIN)
def test_what_is_not_certain_does_not_count(case: str) -> None:
    assert added(UNCERTAIN[case]) == {}


def test_helm_applies_the_definitions_of_a_chart_once_and_those_of_an_overlay_are_applied() -> None:
    by_helm = POLICY.replace("branch: develop", "engine: helm, branch: develop")
    assert added(CHART, by_helm) == {}
    assert added(BASE, by_helm) == {"dev": MONITOR}


@pytest.mark.parametrize(
    "files",
    [
        {"monitors.yaml": CRD},
        {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CRD},
    ],
    ids=["plain", "kustomized"],
)
def test_services_without_a_chart_bring_kinds(files: dict[str, str]) -> None:
    policy = POLICY + 'services: {named: {kinds: {path: "k8s/kinds/{environment}"}}}\n'
    own = {f"k8s/kinds/dev/{path}": text for path, text in files.items()}
    assert added(own, policy) == {"dev": MONITOR}


def test_argo_cd_passes_over_a_plain_manifest_that_says_so() -> None:
    policy = POLICY + 'services: {named: {kinds: {path: "k8s/kinds/{environment}"}}}\n'
    skipped = f"# +argocd:skip-file-rendering\n{CRD}"
    assert added({"k8s/kinds/dev/monitors.yaml": skipped}, policy) == {}
    # Kustomize and Helm do not know the mark.
    assert added({path: text.replace(CRD, skipped) for path, text in BASE.items()}) == {
        "dev": MONITOR
    }


def test_another_policy_of_the_same_files_has_an_answer_of_its_own() -> None:
    tree = trees.MemoryTree({path: text.encode() for path, text in BASE.items()})
    moved = POLICY.replace("overlays/dev", "overlays/other").replace("overlays/live", "base")
    for policy, expected in ((POLICY, "dev"), (moved, "live"), (POLICY, "dev")):
        loaded, _ = loading.parse(policy.encode(), "hanbae.yaml")
        answer = committed_kinds.of(loaded, tree)
        assert {name for name, names in answer.items() if names} == {expected}


SCHEMA = """      schema:
        openAPIV3Schema:
          description: |
            A monitor.

              schema:
            # no comment
          properties:
# A comment.
            spec:
              required:
              - schema
              properties:
                schema:
                  openAPIV3Schema: {}
"""
HEAD = CRD.partition("  versions:")[0]
WRITTEN = {
    "after the name": f"{HEAD}  versions:\n    - name: v1\n{SCHEMA}      served: true\n",
    "first": f"{HEAD}  versions:\n    - {SCHEMA.lstrip()}      name: v1\n",
    "at the end": f"{HEAD}  versions:\n    - name: v1\n{SCHEMA}",
    "before another one": (
        f"{HEAD}  versions:\n    - name: v1\n{SCHEMA}"
        f"    - name: v2\n{SCHEMA}      served: false\n---\nkind: Other\n"
    ),
    "with other line ends": (
        f"{HEAD}  versions:\n    - name: v1\n{SCHEMA}      served: true\n".replace("\n", "\r\n")
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_schemas_are_not_read_for_it(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of vendored definitions have megabytes, and commands ask that only render."""
    load_all = libyaml.load_all

    def read(data: bytes | str) -> Iterator[Any]:
        text = data if isinstance(data, str) else data.decode()
        if "CustomResourceDefinition" in text:
            assert "openAPIV3Schema" not in text
        yield from load_all(data)

    monkeypatch.setattr(libyaml, "load_all", read)
    assert added(CHART | {"services/auth/helm/crds/monitors.yaml": WRITTEN[case]}) == {
        "dev": MONITOR
    }


def test_the_policys_list_and_the_repositorys_kinds_are_told_to_the_chart_alone() -> None:
    listed = POLICY.replace("branch: main", "api_versions: [a.io/v1/Thing, b.io/v2], branch: main")
    policy, _ = loading.parse(listed.encode(), "hanbae.yaml")
    tree = trees.MemoryTree({path: text.encode() for path, text in CHART.items()})
    for environment, expected in (
        ("dev", {*MONITOR}),
        ("live", {"a.io/v1", "a.io/v1/Thing", "b.io/v2"}),
    ):
        request = releases.requested(tree, policy, "auth", environment, ())
        own = {
            name
            for name in request.api_versions
            if name.startswith(("a.io/", "b.io/", "example.com/"))
        }
        assert own == expected
        assert not request.apis_are_known, "neither is complete"


def test_a_clusters_own_answer_takes_the_place_of_all() -> None:
    listed = POLICY.replace("branch: develop", "api_versions: [a.io/v1], branch: develop")
    policy, _ = loading.parse(listed.encode(), "hanbae.yaml")
    tree = trees.MemoryTree({path: text.encode() for path, text in CHART.items()})
    cluster = serving.Cluster("v1.34.2", ("v1", "v1/Pod"))
    request = releases.requested(tree, policy, "auth", "dev", (), cluster=cluster)
    assert (request.kube_version, request.api_versions) == ("v1.34.2", ("v1", "v1/Pod"))
    assert request.version_is_known
    assert request.apis_are_known
