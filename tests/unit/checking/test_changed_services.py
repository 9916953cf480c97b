"""Which services a change touches: whatever its chart, and its release, are made of."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.releases import project

from hanbae.checking import changed_services
from hanbae.rules import views

LIBRARY = "dependencies: [{name: common, version: 1.0.0, repository: 'file://../../../libraries/common'}]\n"
CHART = "name: x\nversion: 1.0.0\n"
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: auth-dev}
spec:
  project: services-dev
  source:
    repoURL: https://git.example.com/shop.git
    path: services/auth/helm
    targetRevision: develop
    helm: {valueFiles: [values-dev.yaml], parameters: [{name: a, value: b}]}
  destination: {name: in-cluster, namespace: services-dev}
"""


@pytest.fixture
def repository() -> views.Project:
    """Three services: of auth and old a library is a dependency, each in its own way; auth has an Application."""
    files = {
        "services/auth/helm/Chart.yaml": f"apiVersion: v2\n{CHART}{LIBRARY}",
        "services/old/helm/Chart.yaml": f"apiVersion: v1\n{CHART}",
        "services/old/helm/requirements.yaml": LIBRARY,
        "services/web/helm/Chart.yaml": f"apiVersion: v2\n{CHART}",
        "libraries/common/Chart.yaml": f"apiVersion: v2\n{CHART}",
        "apps/auth-dev.yaml": APPLICATION,
        "apps/other.yaml": APPLICATION.replace("auth", "gone"),
    }
    return dataclasses.replace(project(files), services=("auth", "old", "web"))


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("services/web/helm/Chart.yaml", ("web",)),
        ("libraries/common/templates/_a.tpl", ("auth", "old")),
        ("libraries/other/Chart.yaml", ()),
        ("apps/auth-dev.yaml", ("auth",)),
        ("apps/other.yaml", ()),
        ("hanbae.yaml", ("auth", "old", "web")),
        ("README.md", ()),
    ],
)
def test_change_touches_what_is_made_of_the_file(
    repository: views.Project, file: str, touched: tuple[str, ...]
) -> None:
    assert changed_services.services(repository, [file]) == touched
