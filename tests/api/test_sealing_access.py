"""``hanbae generate rbac --sealers`` on a real API server: one group may ask the controller, and nothing more."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hanbae.actions import generate_rbac, init, new_service
from hanbae.cli import main

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

CONTROLLER = "services/http:sealed-secrets-controller:http"


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

    proxy = "--subresource=proxy"
    assert not may("create", CONTROLLER, "shop sealers", proxy)
    folder = shop / generate_rbac.SEALING / "dev"
    applied = subprocess.run(
        [*kubectl, "apply", "-k", str(folder)], capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    assert "networkpolicy" in applied.stdout
    try:
        for verb in ("get", "create"):
            assert may(verb, CONTROLLER, "shop sealers", proxy), verb
            assert not may(verb, CONTROLLER, "system:authenticated", proxy), verb
        assert not may("get", "secrets", "shop sealers")
        assert not may("create", "services/http:other:http", "shop sealers", proxy)
    finally:
        subprocess.run([*kubectl, "delete", "-k", str(folder)], check=True, capture_output=True)
    assert main.run([*words, "--check"]) == 0
    (folder / "sealing.yaml").write_text("")
    assert main.run([*words, "--check"]) == 1


def test_a_name_that_is_no_groups_is_refused(shop: Path) -> None:
    assert main.run(["-C", str(shop), "generate", "rbac", "--sealers", "x\ny"]) == 2
    assert not (shop / generate_rbac.SEALING).exists()
