"""What is worked out from the names that a repository has."""

from __future__ import annotations

import pytest
from tests.support.trees import MemoryTree

from hanbae import libyaml
from hanbae.adopting import (
    application_sets,
    chart_folders,
    environments,
    proposal,
    surveyed_applications,
)
from hanbae.adopting import naming_patterns as patterns
from hanbae.adopting.survey import Chart, Overlay, Survey


@pytest.mark.parametrize(
    ("path", "environment"),
    [
        ("values-dev.yaml", "dev"),
        ("values.staging.yaml", "staging"),
        ("values_prod.yml", "prod"),
        ("prod-values.yaml", "prod"),
        ("envs/qa/values.yaml", "qa"),
        ("environments/stg/auth.yaml", "stg"),
        ("env/uat.yaml", "uat"),
        ("env/test.yaml", "test"),
        ("values/int.yaml", "int"),
        ("test-values.yaml", "test"),
        ("charts/auth/test.yml", ""),
        ("charts/auth/dev.yml", "dev"),
        ("values.yaml", ""),
        ("values-stateful.yaml", ""),
        ("devices.yaml", ""),
    ],
)
def test_environment_of_a_values_file(path: str, environment: str) -> None:
    assert environments.of_file(path) == environment


@pytest.mark.parametrize(
    ("samples", "template", "named"),
    [
        (
            ["auth:dev:auth-dev", "auth:prod:auth-prod", "cart:dev:cart-dev"],
            "{service}-{environment}",
            {},
        ),
        (["auth:dev:dev-auth", "cart:dev:dev-cart"], "{environment}-{service}", {}),
        (["auth:dev:auth-service", "cart:dev:cart-service"], "{service}-service", {}),
        (["auth:dev:auth", "auth:prod:auth", "cart:dev:cart"], "{service}", {}),
        (
            ["auth:dev:auth-dev", "cart:dev:cart-dev", "web:dev:shop-dev"],
            "{service}-{environment}",
            {"web": "shop-{environment}"},
        ),
        (["dev:dev:dev-dev"], "{service}-{environment}", {}),
        ([], "default", {}),
    ],
)
def test_template_of_names(samples: list[str], template: str, named: dict[str, str]) -> None:
    names = [patterns.Sample(*text.split(":")) for text in samples]
    pattern = patterns.of(names, "default")
    assert (pattern.template, pattern.named) == (template, named)


def survey(*folders: str, deployed: tuple[str, ...] = (), **parts: tuple[str, ...]) -> Survey:
    charts = tuple(
        Chart(
            folder,
            folder.rpartition("/")[2],
            parts=parts.get(folder.rpartition("/")[2], ()),
            files=("values.yaml",),
            own_templates=True,
        )
        for folder in folders
    )
    apps = tuple(surveyed_applications.Application(path, path=path) for path in deployed)
    return Survey(charts, applications=apps)


@pytest.mark.parametrize(
    ("present", "paths", "named"),
    [
        (survey("charts/a", "charts/b"), ("charts/*",), {}),
        (survey("services/a/helm", "services/b/helm"), ("services/*/helm",), {}),
        (survey("src/a/chart", "charts/b", "charts/c"), ("src/*/chart", "charts/*"), {}),
        (survey("helm"), (), {"helm": "helm"}),
        (survey("charts/a", "charts/b", "whole"), ("charts/*",), {"whole": "whole"}),
        (survey("."), (), {"service": "."}),
    ],
)
def test_where_services_are(present: Survey, paths: tuple[str, ...], named: dict[str, str]) -> None:
    layout = chart_folders.layout(chart_folders.services(present), present)
    assert (layout.paths, layout.named) == (paths, named)


def test_chart_that_several_are_made_of_is_no_service() -> None:
    present = survey("helm/base", "helm/a", "helm/b", a=("helm/base",), b=("helm/base",))
    layout = chart_folders.layout(chart_folders.services(present), present)
    assert list(layout.services) == ["a", "b"]
    assert layout.exclude == ("helm/base",)


def test_chart_of_charts_is_left_out_unless_it_is_deployed() -> None:
    folders = ("src/app/chart", "src/a/chart", "src/b/chart")
    present = survey(*folders)
    whole = Chart("src/app/chart", "app", parts=("src/a/chart", "src/b/chart"))
    charts = (whole, *present.charts[1:])
    assert list(
        chart_folders.layout(chart_folders.services(Survey(charts)), Survey(charts)).services
    ) == ["a", "b"]
    deployed = Survey(
        charts, applications=(surveyed_applications.Application("app", path="src/app/chart"),)
    )
    assert whole in chart_folders.services(deployed)


def test_set_is_expanded_over_lists_and_folders() -> None:
    template = {
        "metadata": {"name": "{{.path.basename}}-{{.env}}"},
        "spec": {
            "source": {"path": "{{.path.path}}", "targetRevision": "{{ .branch }}", "repoURL": "u"},
            "destination": {"namespace": "{{index .path.segments 1}}"},
        },
    }
    generators = [
        {
            "matrix": {
                "generators": [
                    {
                        "git": {
                            "directories": [
                                {"path": "apps/*"},
                                {"path": "apps/old", "exclude": True},
                            ]
                        }
                    },
                    {"list": {"elements": [{"env": "dev", "branch": "develop"}]}},
                ]
            }
        }
    ]
    files = {"apps/cart/Chart.yaml": b"", "apps/cart/x/y.yaml": b"", "apps/old/Chart.yaml": b""}
    document = {"kind": "ApplicationSet", "spec": {"generators": generators, "template": template}}
    (application,) = application_sets.expanded(document, MemoryTree(files))
    assert (application.name, application.path) == ("cart-dev", "apps/cart")
    assert (application.revision, application.namespace) == ("develop", "cart")


def test_set_is_expanded_over_files_and_what_a_cluster_decides_is_left_out() -> None:
    document = libyaml.load("""\
metadata: {name: cart, namespace: argocd}
spec:
  generators:
    - matrix:
        generators:
          - git: {repoURL: u, revision: HEAD, files: [{path: "env/*.yaml"}]}
          - clusters: {}
  template:
    metadata: {name: "cart-{{cluster}}"}
    spec:
      destination: {name: "{{name}}", namespace: "{{ns}}"}
      source:
        repoURL: u
        path: charts/cart
        helm: {valueFiles: [values.yaml, "values-{{phase}}.yaml", "{{name}}.yaml"]}
""")
    files = {
        "env/a.yaml": b"cluster: demo-a\nphase: alpha\nns: shop\n",
        "env/b.yaml": b"cluster: demo-b\nphase: prod\nns: shop\n",
    }
    deployed = application_sets.expanded(document, MemoryTree(files))
    assert [(item.name, item.path, item.namespace, item.cluster) for item in deployed] == [
        ("cart-demo-a", "charts/cart", "shop", ""),
        ("cart-demo-b", "charts/cart", "shop", ""),
    ]
    assert deployed[1].value_files == ("values.yaml", "values-prod.yaml")


@pytest.mark.parametrize(
    "document",
    [
        {"spec": []},
        {"spec": {"template": 3, "generators": [{"list": {"elements": [{}]}}]}},
        {
            "spec": {
                "template": {"metadata": 3, "spec": []},
                "generators": [{"list": {"elements": [3, {}]}}],
            }
        },
        {"spec": {"template": {}, "generators": [{"matrix": {"generators": "x"}}, {"git": 3}, 4]}},
    ],
)
def test_odd_sets_make_nothing_worse(document: dict[str, object]) -> None:
    assert all(
        not application.path for application in application_sets.expanded(document, MemoryTree({}))
    )


def test_overlays_of_services_are_found_by_environment() -> None:
    overlays = tuple(
        Overlay(f"{base}/overlays/{name}", base, name)
        for base in ("apps/cart", "apps/web", "infra/monitoring", "k8s")
        for name in ("dev", "prod")
    )
    present = Survey(overlays=overlays)
    layout = chart_folders.layout((), present)
    assert layout.paths == ("apps/*/overlays/{environment}",)
    assert layout.services == {"cart": "apps/cart", "web": "apps/web"}


@pytest.mark.parametrize(
    ("revision", "branch"),
    [
        ("stg", "stg"),
        ("release/1", "release/1"),
        ("HEAD", "main"),
        ("v1.2.3", "main"),
        ("0.1.0", "main"),
    ],
)
def test_branch_is_what_the_application_follows(revision: str, branch: str) -> None:
    (chart,) = survey("charts/a").charts
    app = surveyed_applications.Application("a-stg", path="charts/a", revision=revision)
    present = Survey((chart,), applications=(app,), branches=("main",))
    (environment,) = proposal.of(present, origin="u", default_branch="main").environments
    assert (environment.name, environment.branch) == ("stg", branch)


def test_single_chart_is_called_what_it_calls_itself() -> None:
    present = Survey(
        (Chart("helm-chart", "Online Boutique", files=("values.yaml",), own_templates=True),)
    )
    layout = chart_folders.layout(chart_folders.services(present), present)
    assert layout.named == {"online-boutique": "helm-chart"}
