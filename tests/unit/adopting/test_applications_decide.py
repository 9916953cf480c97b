"""What Applications say of services counts for more than what files are called."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.support.trees import MemoryTree

from hanbae.adopting import proposal, survey

CHART = "apiVersion: v2\nname: {}\nversion: 0.1.0\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n"


def application(name: str, path: str, *files: str) -> str:
    listed = ", ".join(f'"{file}"' for file in files)
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n"
        f"  source: {{repoURL: https://git.example.com/r.git, path: {path}, "
        f"helm: {{valueFiles: [{listed}]}}}}\n  destination: {{namespace: ours}}\n---\n"
    )


def proposed(files: dict[str, str], applications: Iterable[str]) -> proposal.Proposal:
    files = {**files, "argocd/all.yaml": "".join(applications)}
    tree = MemoryTree({path: text.encode() for path, text in files.items()})
    return proposal.of(survey.of(tree, ()), origin="", default_branch="main")


def chart(folder: str, *files: str) -> dict[str, str]:
    name = folder.rpartition("/")[2]
    own = {f"{folder}/{file}": "a: 1\n" for file in ("values.yaml", *files)}
    return own | {
        f"{folder}/Chart.yaml": CHART.format(name),
        f"{folder}/templates/a.yaml": SERVICE,
    }


@pytest.mark.parametrize(
    ("listed", "values"),
    [
        (["values-{e}.yaml"], ["values.yaml", "values-{environment}.yaml"]),
        (["values.yaml", "values/{e}.yaml"], ["values.yaml", "./values/{environment}.yaml"]),
        (["../../values/{s}.yaml"], ["values.yaml", "values/{service}.yaml"]),
        (["/envs/{e}/{s}/app.yaml"], ["values.yaml", "envs/{environment}/{service}/app.yaml"]),
        (["$values/{s}-{e}.yaml"], ["values.yaml", "/{service}-{environment}.yaml"]),
        ([], ["values.yaml"]),
        (["https://example.com/v.yaml"], ["values.yaml"]),
    ],
)
def test_values_are_those_that_applications_list(listed: list[str], values: list[str]) -> None:
    policy = proposed(
        {**chart("charts/cart", "values-dev.yaml"), **chart("charts/web", "values-dev.yaml")},
        [
            application(
                f"{name}-{word}",
                f"charts/{name}",
                *(file.format(e=word, s=name) for file in listed),
            )
            for name in ("cart", "web")
            for word in ("dev", "prod")
        ],
    )
    assert list(policy.values) == values
    assert policy.named == {}
    assert "values" not in policy.guesses


def test_a_service_whose_application_lists_others_has_its_own() -> None:
    files = {**chart("charts/cart"), **chart("charts/web"), **chart("charts/api")}
    policy = proposed(
        files,
        [
            application("cart-dev", "charts/cart", "values-dev.yaml"),
            application("web-dev", "charts/web", "values-dev.yaml"),
            application("api-dev", "charts/api", "other.yaml"),
        ],
    )
    assert policy.values == ("values.yaml", "values-{environment}.yaml")
    assert policy.named == {"api": {"values": ["values.yaml", "other.yaml"]}}


def test_services_that_share_a_chart_are_told_apart_by_their_applications() -> None:
    policy = proposed(
        {**chart("charts/backend"), **chart("charts/web")},
        [
            *(
                application(f"{word}-{name}", "charts/backend", f"values/{word}/{name}.yaml")
                for name in ("auth", "posts")
                for word in ("dev", "prod")
            ),
            application("dev-web", "charts/web", "values/dev/web.yaml"),
        ],
    )
    assert policy.services == {
        "auth": "charts/backend",
        "posts": "charts/backend",
        "web": "charts/web",
    }
    assert policy.paths == ("charts/*",)
    assert policy.named == {
        "auth": {"path": "charts/backend"},
        "posts": {"path": "charts/backend"},
    }
    assert policy.values == ("values.yaml", "./values/{environment}/{service}.yaml")
    assert policy.application == "{environment}-{service}"
    assert [item.name for item in policy.environments] == ["dev", "prod"]


def test_applications_that_no_name_tells_apart_are_one_service() -> None:
    policy = proposed(
        chart("charts/cart"),
        [application("cart", "charts/cart"), application("Cart", "charts/cart")],
    )
    assert list(policy.services) == ["cart"]
