"""Which Applications a set makes of the files of its repository."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import foreign
from tests.support.trees import MemoryTree

from hanbae.argo import application_sets, generating
from hanbae.policy import loading
from hanbae.repository import services

TREE = MemoryTree(
    {
        "apps/dev/auth/kustomization.yaml": b"resources: []",
        "charts/pay/Chart.yaml": b"name: pay",
        "charts/pay/charts/redis/Chart.yaml": b"name: redis",
    }
)


def names(spec: dict[str, Any]) -> list[str]:
    expanded = application_sets.expand(spec, TREE, lambda _: True)
    return [application.document["metadata"]["name"] for application in expanded]


def of_git(**finds: Any) -> dict[str, Any]:
    return {
        "goTemplate": True,
        "generators": [{"git": finds}],
        "template": {"metadata": {"name": "{{.path.basename}}"}},
    }


@pytest.mark.parametrize(
    ("finds", "applications"),
    [
        (
            {"files": [{"path": "charts/*.yaml"}, {"path": "charts/*/*/*", "exclude": True}]},
            ["pay"],
        ),
        ({"files": [{"path": "*/Chart.yaml"}, {"path": "charts/*", "exclude": True}]}, []),
        ({"directories": [{"path": "*"}, {"path": "apps", "exclude": True}]}, ["charts"]),
    ],
)
def test_what_a_git_generator_excludes_makes_no_application(
    finds: dict[str, Any], applications: list[str]
) -> None:
    assert names(of_git(**finds)) == applications


def test_a_chart_within_a_chart_is_no_service_of_hanbaes_own_set() -> None:
    text = foreign.POLICY.replace('["services/*/helm", "apps/*/helm", "charts/*"]', '["charts/*"]')
    text = text.replace("  named: {solo: {path: helm}}\n", "")
    policy, _ = loading.parse(text.encode(), "hanbae.yaml")
    spec = generating.application_set(services.located(policy, TREE), "dev")["spec"]
    assert names(spec) == ["pay-dev"]


@pytest.mark.parametrize("kind", ["directories", "files"])
@pytest.mark.parametrize("exclude", [False, True])
def test_a_pattern_that_another_generator_completes_is_not_known(
    kind: str, *, exclude: bool
) -> None:
    entries = [{"path": "apps/*"}, {"path": "apps/{{.env}}/*", "exclude": exclude}]
    generators = [{"list": {"elements": [{"env": "dev"}]}}, {"git": {kind: entries}}]
    spec = {
        "goTemplate": True,
        "generators": [{"matrix": {"generators": generators}}],
        "template": {"metadata": {"name": "{{.path.basename}}-{{.env}}"}},
    }
    assert names(spec) == ["{{.path.basename}}-{{.env}}"]
