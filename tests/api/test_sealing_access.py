"""``hanbae generate rbac --sealers`` on a real API server: one group may ask the controller, and nothing more."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.support import polling

from hanbae.actions import generate_rbac, init, new_service
from hanbae.cli import main

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

CONTROLLER = "services/http:sealed-secrets-controller:http"
WAYS = (CONTROLLER, *(f"services/http:sealed-secrets-controller:{port}" for port in ("8080", "")))
"""As hanbae and kubeseal reach the Service of the chart, and that of the plain manifest, whose port has no name."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    return root


def test_only_the_group_may_ask_the_controller(shop: Path, control_plane: ControlPlane) -> None:
    words = ["-C", str(shop), "generate", "rbac", "--env", "dev", "--sealers", "shop sealers"]
    assert main.run(words) == 0
    kubectl = [
        str(control_plane.programs.path("kubectl")),
        f"--kubeconfig={control_plane.kubeconfig}",
    ]

    def may(verb: str, resource: str, group: str, *more: str) -> bool:
        question = ["auth", "can-i", verb, resource, "-n", "kube-system", *more]
        question += ["--as", "mina", "--as-group", group]
        ended = subprocess.run([*kubectl, *question], capture_output=True, check=False)
        return ended.stdout.strip() == b"yes"

    def until_sealers_may(verb: str, resource: str, *more: str) -> None:
        """The API server learns of a role a moment after it has stored it."""
        polling.until(
            lambda: may(verb, resource, "shop sealers", *more),
            within=30,
            state=lambda: f"{verb} {resource}",
        )

    proxy = "--subresource=proxy"
    assert not may("create", CONTROLLER, "shop sealers", proxy)
    folder = shop / generate_rbac.SEALING / "dev"
    applied = subprocess.run(
        [*kubectl, "apply", "-k", str(folder)], capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    assert "networkpolicy" in applied.stdout
    try:
        for verb, way in itertools.product(("get", "create"), WAYS):
            until_sealers_may(verb, way, proxy)
            assert not may(verb, way, "system:authenticated", proxy), (verb, way)
        until_sealers_may("get", "services/sealed-secrets-controller")
        assert not may("delete", "services/sealed-secrets-controller", "shop sealers")
        assert not may("get", "secrets", "shop sealers")
        assert not may("create", "services/http:other:http", "shop sealers", proxy)
    finally:
        subprocess.run([*kubectl, "delete", "-k", str(folder)], check=True, capture_output=True)
    assert main.run([*words, "--check"]) == 0
    (folder / "sealing.yaml").write_text("")
    assert main.run([*words, "--check"]) == 1


def test_network_policies_close_what_the_real_chart_serves_to_pods(
    shop: Path, control_plane: ControlPlane
) -> None:
    words = ["-C", str(shop), "generate", "rbac", "--env", "dev", "--sealers", "shop sealers"]
    assert main.run(words) == 0
    text = (shop / generate_rbac.SEALING / "dev/sealing.yaml").read_text()
    written = [item for item in yaml.safe_load_all(text) if item]
    assert {item["metadata"]["namespace"] for item in written} == {"kube-system"}
    policies = [item["spec"] for item in written if item["kind"] == "NetworkPolicy"]

    programs = control_plane.programs
    helm = [
        str(programs.path("helm")),
        "template",
        "x",
        str(programs.sealed_secrets_chart.resolve()),
    ]
    rendered = subprocess.run(helm, check=True, capture_output=True).stdout
    (deployment,) = [
        item for item in yaml.safe_load_all(rendered) if item and item["kind"] == "Deployment"
    ]
    template = deployment["spec"]["template"]
    ports = {
        port["name"]: port["containerPort"]
        for container in template["spec"]["containers"]
        for port in container["ports"]
    }
    chart, manifest = (policy["podSelector"]["matchLabels"] for policy in policies)
    assert chart.items() <= template["metadata"]["labels"].items()
    assert manifest == {"name": "sealed-secrets-controller"}
    system = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    for policy in policies:
        assert policy["policyTypes"] == ["Ingress"]
        assert policy["ingress"] == [
            {
                "from": [{"namespaceSelector": system}],
                "ports": [{"port": ports["http"], "protocol": "TCP"}],
            },
            {"ports": [{"port": ports["metrics"], "protocol": "TCP"}]},
        ]


def test_a_name_that_is_no_groups_is_refused(shop: Path) -> None:
    assert main.run(["-C", str(shop), "generate", "rbac", "--sealers", "x\ny"]) == 2
    assert not (shop / generate_rbac.SEALING).exists()
