"""Which tags move, and which environment is production."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support import trees

from hanbae.policy import documents, loading
from hanbae.rules import rulebook, running, views
from hanbae.rules.environments import images

DIGEST = f"sha256:{'a' * 64}"
POLICY = documents.Policy(
    version=1, argocd=documents.ArgoCD("https://git.example.com/x.git"), environments={}
)


def codes(
    shop: trees.MemoryTree, image: str, environment: str = "production", **values: Any
) -> list[str]:
    """What the rules over one release say of a pod that runs an image."""
    policy, places = loading.parse(shop.contents["hanbae.yaml"], "hanbae.yaml")
    service = views.Service(views.Project(policy, places, shop, ("auth",)), "auth")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"image": image}]},
    }
    manifest = views.Object(pod, f"{service.chart}/templates/x.yaml", 0, "n")
    release_values = {
        "image": {"repository": "registry.example.com/shop/auth", "tag": "1"} | values
    }
    service.releases[environment] = views.Release(service, environment, release_values, (manifest,))
    rules = [rulebook.rules()[code] for code in ("ENV007", "ENV008", "ENV009")]
    return [finding.rule.code for finding in running.over_service(service, rules)]


OWN = "registry.example.com/shop/auth"


@pytest.mark.parametrize(
    ("image", "expected_codes"),
    [
        (f"{OWN}:1.4.2@{DIGEST}", []),
        (f"{OWN}@{DIGEST}", []),
        (f"{OWN}:latest@{DIGEST}", []),
        (f"{OWN}:1.4.2", ["ENV008"]),
        (f"{OWN}:2026-11-24", ["ENV008"]),
        (f"{OWN}:latest", ["ENV007"]),
        (f"{OWN}:Latest", ["ENV007"]),
        (f"{OWN}:1.4-SNAPSHOT", ["ENV007"]),
        (f"{OWN}:release", ["ENV007"]),
        (f"{OWN}:stable", ["ENV007"]),
        (f"{OWN}:blue", ["ENV007"]),
        (OWN, ["ENV007"]),
        ("docker.io/library/busybox:1.36", []),
        ("busybox", ["ENV007"]),
        ("busybox:latest", ["ENV007"]),
        (f"{OWN}:1.0:1.0", ["ENV009"]),
        (f"{OWN}:1.0@sha256:abc", ["ENV009"]),
        (f"{OWN}:1.0@{DIGEST}@{DIGEST}", ["ENV009"]),
        (f"https://{OWN}:1.0", ["ENV009"]),
        ("Registry.example.com/Shop/Auth:1.0", ["ENV009"]),
    ],
)
def test_production_runs_only_what_nobody_can_move(
    shop: trees.MemoryTree, image: str, expected_codes: list[str]
) -> None:
    assert codes(shop, image) == expected_codes


@pytest.mark.parametrize("image", [f"{OWN}:latest", OWN, f"{OWN}:1.0"])
def test_other_environments_may_move(shop: trees.MemoryTree, image: str) -> None:
    assert codes(shop, image, "dev") == []


def test_nothing_is_said_before_an_image_was_named(shop: trees.MemoryTree) -> None:
    assert codes(shop, f"{OWN}:0.1", tag="", digest="") == []


@pytest.mark.parametrize(
    ("environments", "production"),
    [
        ({"dev": "develop", "production": "main"}, ["production"]),
        ({"dev": "develop", "prod": "trunk"}, ["prod"]),
        ({"dev": "develop", "eu": "main", "us": "main"}, ["eu", "us"]),
        ({"one": "a", "two": "b"}, ["two"]),
    ],
)
def test_production_is_known_by_its_name_its_branch_or_its_place(
    environments: dict[str, str], production: list[str]
) -> None:
    branched = {name: documents.Environment(branch=branch) for name, branch in environments.items()}
    local = {"local": documents.Environment(platform="compose")}
    policy = msgspec.structs.replace(POLICY, environments={**branched, **local})
    assert [
        name for name in policy.environments if images.is_production(policy, name)
    ] == production
