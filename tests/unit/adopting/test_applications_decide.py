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


def bare(folder: str, *files: str) -> dict[str, str]:
    """A chart without values of its own."""
    own = chart(folder, *files)
    del own[f"{folder}/values.yaml"]
    return own


def test_a_chart_without_any_values_is_listed_as_such() -> None:
    files = {**chart("charts/cart"), **bare("charts/ingress")}
    deployed = [
        application("cart-dev", "charts/cart", "values-dev.yaml"),
        application("ingress-dev", "charts/ingress"),
    ]
    policy = proposed(files, deployed)
    assert policy.values == ("values.yaml", "values-{environment}.yaml")
    assert policy.named == {"ingress": {"values": []}}
    assert proposed(bare("charts/ingress"), deployed[1:]).values == ()
    # What an Application lists and no policy can hold says nothing of the files that there are.
    elsewhere = [application("ingress-dev", "charts/ingress", "https://example.com/v.yaml")]
    policy = proposed(bare("charts/ingress", "values-dev.yaml"), elsewhere)
    assert policy.values == ("values-{environment}.yaml",)


def test_of_the_usual_files_a_service_has_those_that_it_has() -> None:
    """Services that no Application deploys: one with all, one each with one of them, and one with none."""
    policy = proposed(
        {
            **chart("charts/all", "values-dev.yaml", "values-prod.yaml"),
            **chart("charts/base"),
            **bare("charts/dev", "values-dev.yaml"),
            **bare("charts/none"),
        },
        [],
    )
    assert policy.values == ("values.yaml", "values-{environment}.yaml")
    assert policy.named == {
        "base": {"values": ["values.yaml"]},
        "dev": {"values": ["values-{environment}.yaml"]},
        "none": {"values": []},
    }
    policy = proposed(bare("charts/none"), [])
    assert (policy.values, policy.named) == ((), {})


def test_values_of_a_chart_that_another_one_depends_on_are_not_its_own() -> None:
    files = {**chart("charts/cart", "charts/redis/values.test.yaml"), **chart("charts/web")}
    policy = proposed(files, [])
    assert policy.values == ("values.yaml",)
    assert [item.name for item in policy.environments] == ["production"]


def test_what_a_plugin_makes_is_no_service() -> None:
    """Nobody but the plugin knows what is deployed of such a folder: not Helm, and not who reads its files."""
    by_plugin = application("own-dev", "charts/own").replace("helm: {valueFiles: []}", "plugin: {}")
    policy = proposed(
        {**chart("charts/own"), **chart("charts/cart")},
        [by_plugin, application("cart-dev", "charts/cart")],
    )
    assert list(policy.services) == ["cart"]
    assert policy.exclude == ("charts/own",)
    plain = {"plain/a.yaml": SERVICE.replace("Service", "Deployment", 1)}
    policy = proposed(plain, [by_plugin.replace("charts/own", "plain")])
    assert not policy.services


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
