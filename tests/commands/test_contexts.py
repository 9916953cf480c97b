"""A kubeconfig context that does not exist is named with the line of the policy that asks for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae.actions import init, new_service
from hanbae.cli import main

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: none}}]
contexts:
  - {name: elsewhere, context: {cluster: c, user: u}}
  - {name: hub, context: {cluster: c, user: u}}
current-context: elsewhere
"""


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    subprocess.run(["git", "-C", str(folder), *settings, *words], check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose policy has a cluster for each environment."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    root = tmp_path / "shop"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin"), str(root))
    init.init(root, repository="https://git.example.com/shop.git")
    new_service.new_service(root, "auth", image="registry.example.com/auth")
    git(root, "checkout", "--quiet", "-b", "develop")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    git(root, "push", "--quiet", "origin", "develop")
    return root


def line_of(root: Path, text: str) -> int:
    lines = (root / "hanbae.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize("key", ["control", "workload"])
def test_context_of_the_policy_that_does_not_exist(
    shop: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    policy = shop / "hanbae.yaml"
    if key == "workload":
        text = policy.read_text().replace("control: dev", "control: hub\n    workload: dev")
        policy.write_text(text)
    assert main.run(["--lang", "en", "-C", str(shop), "plan", "auth", "--env", "dev"]) == 2
    error = capsys.readouterr().err
    place = f"hanbae.yaml:{line_of(shop, f'{key}: dev')}:"
    assert place in error
    assert "The kubeconfig has no context dev. It has: elsewhere, hub" in error


def test_context_of_the_command_line_is_not_blamed_on_the_policy(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--lang", "en", "-C", str(shop), "plan", "auth", "--env", "dev"]
    assert main.run([*words, "--context", "nowhere"]) == 2
    error = capsys.readouterr().err
    assert "The kubeconfig has no context nowhere." in error
    assert "hanbae.yaml" not in error
