"""Which environments there are and which clusters they are in, asked of one place."""

from __future__ import annotations

import pytest
from msgspec import structs

from hanbae import errors, wording
from hanbae.argo import generating
from hanbae.policy import documents, environments, naming

HOME = documents.Environment(branch="main", control="home")
AWAY = documents.Environment(branch="main", control="home", workload="away")
NOWHERE = documents.Environment(branch="main")
LOCAL = documents.Environment(platform="compose")
HELM = documents.Environment(branch="main", engine="helm")


def policy(**named: documents.Environment) -> documents.Policy:
    argocd = documents.ArgoCD("https://git.example.com/shop.git")
    return documents.Policy(1, argocd, dict(named))


@pytest.mark.parametrize(
    ("environment", "control", "workload", "hub"),
    [
        (HOME, "home", "home", False),
        (AWAY, "home", "away", True),
        (structs.replace(HOME, workload="home"), "home", "home", False),
        (NOWHERE, None, None, False),
        (structs.replace(NOWHERE, workload="away"), None, "away", True),
    ],
)
def test_pods_are_where_argo_cd_is_unless_the_policy_says_otherwise(
    environment: documents.Environment, control: str | None, workload: str | None, hub: bool
) -> None:
    assert environments.control(environment) == control
    assert environments.workload(environment) == workload
    assert environments.is_hub(environment) == hub
    folders = {naming.rbac_folder(environment, "dev", part) for part in ("control", "workload")}
    assert (len(folders) == 2) == hub
    destination = generating.application(policy(dev=environment), "auth", "dev")["spec"]
    assert ("name" in destination["destination"]) == hub


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (HOME, HOME, True),
        (HOME, structs.replace(AWAY, workload="home"), True),
        (HOME, AWAY, False),
        (NOWHERE, NOWHERE, True),
        (NOWHERE, HOME, None),
        (AWAY, NOWHERE, None),
    ],
)
def test_environments_share_a_cluster_by_their_pods_context(
    first: documents.Environment, second: documents.Environment, together: bool | None
) -> None:
    assert environments.share_pods_cluster(first, second) is together
    assert environments.share_pods_cluster(second, first) is together


def test_environments_are_named_in_the_order_of_promotion() -> None:
    four = policy(local=LOCAL, staging=HOME, dev=AWAY, edge=HELM)
    assert environments.on_kubernetes(four) == ("staging", "dev", "edge")
    assert environments.deployed_by_argocd(four) == ("staging", "dev")
    assert environments.chosen_for_argocd(four, []) == ("staging", "dev")
    assert environments.chosen_for_argocd(four, ["dev"]) == ("dev",)


@pytest.mark.parametrize(
    ("name", "text_id"),
    [
        ("nope", "environment.unknown"),
        ("local", "environment.other-platform"),
        ("edge", "generate.not-an-environment"),
    ],
)
def test_what_argo_cd_does_not_deploy_is_refused_in_the_words_of_its_reason(
    name: str, text_id: str
) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        environments.chosen_for_argocd(policy(local=LOCAL, dev=HOME, edge=HELM), [name])
    assert caught.value.text.id == text_id
    assert "local" not in caught.value.text.facts.get("known", "")


def test_an_environment_of_either_revision_is_one_of_a_comparison() -> None:
    old, new = policy(dev=HOME), policy(staging=AWAY)
    assert environments.require("dev", new, old) == HOME
    assert environments.require("staging", new, old) == AWAY
    with pytest.raises(errors.WrongUse) as caught:
        environments.require("nope", new, old)
    assert caught.value.text.facts["known"] == "staging, dev"


def test_a_policy_without_environments_on_kubernetes_lists_none() -> None:
    with pytest.raises(errors.WrongUse) as caught:
        environments.require("dev", policy(local=LOCAL))
    assert caught.value.text == wording.Text("environment.none", {"environment": "dev"})
