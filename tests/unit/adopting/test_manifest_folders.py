"""Folders without a chart, as the policy of a repository that has nothing else names them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.support import chartless
from tests.support.trees import MemoryTree

from hanbae.adopting import manifest_folders, proposal, survey

HEAD = chartless.HEAD
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n"
CHART = "apiVersion: v2\nname: cart\nversion: 0.1.0\n"


def workload(name: str) -> str:
    return chartless.deployment(name, f"registry.example.com/{name}:1")


def application(name: str, path: str, *, more: str = "") -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {name}, namespace: argocd}}\nspec:\n"
        f"  source: {{repoURL: https://git.example.com/r.git, path: {path}{more}}}\n"
        f"  destination: {{namespace: ours}}\n---\n"
    )


def proposed(files: Mapping[str, str]) -> proposal.Proposal:
    tree = MemoryTree({path: text.encode() for path, text in files.items()})
    return proposal.of(survey.of(tree, ()), origin="", default_branch="main")


BY_ENVIRONMENT = {
    f"apps/{name}/{word}/deployment.yaml": workload(name)
    for name in ("cart", "web")
    for word in ("dev", "prod")
}


@pytest.mark.parametrize(
    ("files", "paths", "named", "environments"),
    [
        pytest.param(BY_ENVIRONMENT, ("apps/*/{environment}",), {}, ["dev", "prod"], id="inside"),
        pytest.param(
            {
                f"envs/{word}/{name}/all.yaml": workload(name)
                for name in ("cart", "web")
                for word in ("test", "prod")
            },
            ("envs/{environment}/*",),
            {},
            ["test", "prod"],
            id="around",
        ),
        pytest.param(
            {f"k8s/{name}/all.yaml": workload(name) for name in ("cart", "web")},
            (),
            {"cart": "k8s/cart", "web": "k8s/web"},
            ["production"],
            id="the same for all environments",
        ),
        pytest.param(
            {f"services/{name}/k8s/all.yml": workload(name) for name in ("cart", "web")},
            (),
            {"cart": "services/cart/k8s", "web": "services/web/k8s"},
            ["production"],
            id="in the service's folder",
        ),
        pytest.param(
            {"manifests/a.yaml": workload("api") + "---\n" + SERVICE},
            (),
            {"api": "manifests"},
            ["production"],
            id="called after what runs",
        ),
        pytest.param(
            {"k8s/a.yaml": workload("a"), "k8s/b.yaml": workload("b")},
            (),
            {"app": "k8s"},
            ["production"],
            id="several in one",
        ),
        pytest.param(
            {
                "k8s/base/kustomization.yaml": f"{HEAD}resources: [deployment.yaml]\n",
                "k8s/base/deployment.yaml": workload("api"),
                **{
                    f"k8s/overlays/{word}/kustomization.yaml": f"{HEAD}resources: [../../base]\n"
                    for word in ("staging", "prod")
                },
            },
            (),
            {"api": "k8s/overlays/{environment}"},
            ["staging", "prod"],
            id="overlays of the repository's only service",
        ),
        pytest.param(
            {
                "cart/kustomization.yaml": f"{HEAD}resources: [parts/deployment.yaml]\n",
                "cart/parts/deployment.yaml": workload("cart"),
            },
            (),
            {"cart": "cart"},
            ["production"],
            id="a part of a kustomization is no service",
        ),
        pytest.param(
            {f"apps/{name}/all.yaml": workload(name) for name in ("demo", "cart")},
            (),
            {"cart": "apps/cart", "demo": "apps/demo"},
            ["production"],
            id="a service that is called like an environment",
        ),
        pytest.param(
            {"a/one/all.yaml": workload("one"), "b/one/all.yaml": workload("one")},
            (),
            {"one": "a/one", "b-one": "b/one"},
            ["production"],
            id="two of one name",
        ),
        pytest.param(
            {
                "cart/all.yaml": workload("cart"),
                "monitoring/agent/all.yaml": workload("agent"),
                ".github/pods/all.yaml": workload("ci"),
                "settings/map.yaml": "kind: ConfigMap\n",
                "broken/all.yaml": "kind: Deployment\nmetadata: {name: [\n",
            },
            (),
            {"cart": "cart"},
            ["production"],
            id="what serves the cluster, or nothing",
        ),
    ],
)
def test_services_without_a_chart(
    files: dict[str, str], paths: tuple[str, ...], named: dict[str, str], environments: list[str]
) -> None:
    policy = proposed(files)
    assert policy.paths == paths
    assert {name: keys["path"] for name, keys in policy.named.items()} == named
    assert [item.name for item in policy.environments] == environments
    assert not any(item.overlay for item in policy.environments)


def test_what_a_glob_fits_besides_is_excluded() -> None:
    policy = proposed(BY_ENVIRONMENT | {"apps/db/dev/secret.yaml": "kind: Secret\n"})
    assert policy.exclude == ("apps/db/*",)
    assert sorted(policy.services) == ["cart", "web"]


def test_folders_beside_charts_count_where_an_application_deploys_them() -> None:
    files = {
        "helm/cart/Chart.yaml": CHART,
        "helm/cart/templates/a.yaml": SERVICE,
        "k8s/cart/all.yaml": workload("cart"),
        "k8s/web/all.yaml": workload("web"),
    }
    assert list(proposed(files).services) == ["cart"]
    deployed = files | {"argocd/web.yaml": application("shop-web", "k8s/web")}
    policy = proposed(deployed)
    assert policy.named["web"] == {"path": "k8s/web"}
    assert policy.application == "shop-{service}"
    assert policy.services == {"cart": "helm/cart", "web": "k8s/web"}


def test_applications_say_which_folders_are_services_and_how_they_are_called() -> None:
    files = BY_ENVIRONMENT | {
        "old/api/all.yaml": workload("api"),
        "deploy/dev/all.yaml": workload("a") + "---\n" + workload("b"),
        "deploy/prod/all.yaml": workload("a") + "---\n" + workload("b"),
        "argocd/all.yaml": application("cart-dev", "apps/cart/dev")
        + application("shop-dev", "deploy/dev"),
    }
    policy = proposed(files)
    assert policy.paths == ("apps/*/{environment}",)
    assert policy.named == {"shop": {"path": "deploy/{environment}"}}
    assert policy.application == "{service}-{environment}"


def test_folders_beside_a_deployed_one_are_services_and_those_of_the_cluster_are_not() -> None:
    files = {
        "apps/api/all.yaml": workload("api"),
        "apps/web/all.yaml": workload("web"),
        "apps/ingress/all.yaml": workload("controller"),
        "argocd/server.yaml": workload("argocd-server"),
        "argo/api.yaml": application("api", "apps/api"),
    }
    assert proposed(files).services == {"api": "apps/api", "web": "apps/web"}


def test_what_an_application_reads_below_its_folder_is_its_own() -> None:
    files = {
        "shop/cart/all.yaml": workload("cart"),
        "shop/web/all.yaml": workload("web"),
        "argocd/shop.yaml": application("shop", "shop", more=", directory: {recurse: true}"),
    }
    assert proposed(files).services == {"shop": "shop"}
    listed = manifest_folders.of(
        MemoryTree({path: text.encode() for path, text in files.items()}), (), {"shop": True}
    )
    assert listed == (manifest_folders.Folder("shop", ("cart", "web")),)


def test_a_part_that_names_itself_is_looked_at_once() -> None:
    files = {"a/kustomization.yaml": f"{HEAD}resources: [../b]\n"}
    files["b/kustomization.yaml"] = f"{HEAD}resources: [../a, all.yaml]\n"
    files["b/all.yaml"] = workload("b")
    tree = MemoryTree({path: text.encode() for path, text in files.items()})
    assert manifest_folders.of(tree, (), {}) == ()
