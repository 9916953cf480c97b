"""Which values files a chart must have, in repositories that hanbae did not lay."""

from __future__ import annotations

import pytest
from tests.support.releases import project

from hanbae.rules import views
from hanbae.rules.layout import charts

CHART = "services/auth/helm"
FILES = {
    f"{CHART}/Chart.yaml": "apiVersion: v2\nname: auth\nversion: 0.1.0\n",
    f"{CHART}/values.yaml.example": "a: 1\n",
    f"{CHART}/values-dev.yaml": "a: 2\n",
    f"{CHART}/values-prod.yaml": "a: 3\n",
}
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: auth-dev, namespace: argocd}
spec:
  source:
    repoURL: https://git.example.com/shop.git
    path: services/auth/helm
    helm: {valueFiles: [values-dev.yaml], ignoreMissingValueFiles: %s}
"""


def lacking(*names: str, policy: str = "", application: str = "") -> list[tuple[str, str]]:
    """What is told of the chart without some of its files: how, and of which environment."""
    left = {path: text for path, text in FILES.items() if path.rpartition("/")[2] not in names}
    left |= {"argocd/auth.yaml": application} if application else {}
    service = views.Service(project(left, policy=policy), "auth")
    hits = charts.missing_values(service)
    return [(hit.variant, hit.facts.get("environment", "")) for hit in hits]


def test_a_chart_with_all_of_its_files_lacks_nothing() -> None:
    assert lacking() == []


@pytest.mark.parametrize(
    ("does_without", "expected"),
    [
        ("true", [("environment", "production")]),
        ("false", [("environment", "dev"), ("environment", "production")]),
    ],
)
def test_a_file_that_the_application_does_without_is_not_missing(
    does_without: str, expected: list[tuple[str, str]]
) -> None:
    both = ("values-dev.yaml", "values-prod.yaml")
    assert lacking(*both, application=APPLICATION % does_without) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", [("example", "")]),
        ("services: {values: [values-dev.yaml]}\n", []),
        ("services: {named: {auth: {values: [values-dev.yaml]}}}\n", []),
        ("services: {named: {other: {values: [values-dev.yaml]}}}\n", [("example", "")]),
    ],
)
def test_a_chart_whose_values_files_the_policy_lists_need_have_no_example(
    policy: str, expected: list[tuple[str, str]]
) -> None:
    assert lacking("values.yaml.example", policy=policy) == expected
