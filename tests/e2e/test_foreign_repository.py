"""A repository that hanbae did not lay: adopted, checked, sealed, deployed to three environments, and proven."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.support import demos, foreign_shops, polling, scenes
from tests.support.foreign_shops import ENVIRONMENTS, KEYS, ForeignShop

from hanbae.charts import values
from hanbae.policy import loading, naming
from hanbae.sandbox import demo_repository

_EDITS = {
    # Beside the shop in one Argo CD and one cluster.
    ("argocd", "project"): "orders",
    ("services", "namespace"): "orders",
}
"""All that has to be edited of what ``init`` proposes."""


@pytest.fixture(scope="module")
def orders(demo: demos.Demo) -> ForeignShop:
    """The repository with a policy, images and secrets, each environment on its branch."""
    orders = foreign_shops.create(demo.sandbox)
    url = orders.shop.repository.url
    for branch in ENVIRONMENTS.values():
        if branch != "main":
            demo_repository.git(orders.clone, "branch", branch)
    begun = orders.hanbae("init", "--one-cluster", "--repository", url)
    assert begun.code == 0, begun.err
    with values.editing(orders.clone / loading.NAME, loading.NAME) as policy:
        policy.update(_EDITS)
    generated = orders.hanbae("generate", "argocd")
    assert generated.code == 0, generated.err
    references = {service: orders.build(service, "2.0.0") for service in KEYS}
    orders.publish("main", "Say how this is deployed")
    for environment, branch in ENVIRONMENTS.items():
        demo.sandbox.kubectl(["create", "namespace", f"orders-{environment}"])
        orders.shop.prepare_namespaces(environment)
        orders.shop.repository.switch(branch, create=branch != "main")
        for service, reference in references.items():
            orders.seal(service, environment)
            orders.use_image(service, environment, reference)
        orders.publish(branch, "Image and secrets")
        orders.shop.apply(f"k8s/argocd/{environment}")
    return orders


def test_check_finds_nothing_false(orders: ForeignShop) -> None:
    """On the branch of production, which has that environment's image and secrets."""
    checked = orders.hanbae("check", "--env", "production", "--output", "json")
    findings = json.loads(checked.out)["findings"]
    assert not [finding for finding in findings if finding["severity"] == "error"]


def test_running_applications_say_what_a_clone_without_them_does_not(
    orders: ForeignShop, demo: demos.Demo, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    demo_repository.git(orders.clone, "worktree", "add", "--detach", str(clone), "main")
    (clone / loading.NAME).unlink()
    shutil.rmtree(clone / "k8s")
    kubectl = demo.sandbox.kubectl
    names = ["get", "applications", "-A", "-o", "name"]
    # Else the controller looks for new services every three minutes.
    refreshed = "argocd.argoproj.io/application-set-refresh=true"
    policy = orders.shop.policy
    sets = [naming.application_set(policy, environment) for environment in ENVIRONMENTS]
    kubectl(["annotate", "applicationsets", *sets, "-n", "argocd", refreshed, "--overwrite"])
    polling.until(
        lambda: kubectl(names).count(b"/accounts-") == len(ENVIRONMENTS),
        pause=2,
        state=lambda: kubectl(names),
    )
    begun = scenes.hanbae(
        *("init", "--yes", "--from-cluster", "--context", demo.sandbox.context),
        directory=clone,
        KUBECONFIG=str(demo.sandbox.kubeconfig),
    )
    assert begun.code == 0, begun.err
    policy = loading.load(clone / loading.NAME).policy
    assert policy.argocd.repository == orders.shop.repository.url
    assert policy.services.release == "{service}"
    assert policy.services.application == "{service}-{environment}"
    assert policy.services.namespace == "orders"
    settings = policy.environments
    assert {name: item.branch for name, item in settings.items()} == ENVIRONMENTS
    assert {item.namespace_suffix for item in settings.values()} == {f"-{n}" for n in ENVIRONMENTS}
    assert "Guess: no Application" not in (clone / loading.NAME).read_text()
    assert "Applications of this repository: 6" in begun.err


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_database_of_every_environment_is_proven(
    orders: ForeignShop, environment: str
) -> None:
    orders.shop.repository.switch(ENVIRONMENTS[environment])
    ended = orders.hanbae(
        *("deploy", "--env", environment, "--output", "json", "--insecure-registry"),
        deployer=environment,
    )
    assert ended.code == 0, ended.err
    assert {deployment["service"] for deployment in ended.deployments} == set(KEYS)
    # Nothing of ledger's carries the release's label: its pods are known through what Argo CD applied.
    assert re.search(r"ledger \w+ +Pod/ledger-[0-9a-f]+-\w+: Ready", ended.err)
    assert re.search(r"ledger \w+ +│ migrate: migrating", ended.err)
    for deployment in ended.deployments:
        service = deployment["service"]
        assert deployment["outcome"] == "succeeded"
        proven = {
            item["database"]: item["version"] for item in deployment["migrations"] if item["proven"]
        }
        assert len(proven) == len(KEYS[service]), deployment["migrations"]
        for database in KEYS[service].values():
            versions = orders.versions(service, environment, database)
            assert versions == sorted(versions)
            assert versions[-1] in proven.values()


def test_wrong_sql_leaves_the_next_database_untouched(orders: ForeignShop) -> None:
    orders.shop.repository.switch(ENVIRONMENTS["staging"])
    folder = orders.migrations("accounts") / "auth_db"
    (folder / "00090_wrong.sql").write_text(
        "-- +goose Up\nALTER TABLE nowhere ADD COLUMN a text;\n"
    )
    orders.use_image("accounts", "staging", orders.build("accounts", "2.1.0"))
    orders.publish(ENVIRONMENTS["staging"], "A table that is not there")
    ended = orders.hanbae(
        *("deploy", "accounts", "--env", "staging", "--output", "json", "--insecure-registry"),
        deployer="staging",
    )
    assert ended.code == 1, ended.err
    assert "00090_wrong.sql" in ended.err
    assert 90 not in orders.versions("accounts", "staging", "auth_db")
