"""What the tests of commands share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.actions import init, new_service

NOBODY = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: none}}]
contexts: [{name: nobody, context: {cluster: c, user: u}}]
current-context: nobody
"""


@pytest.fixture(params=layouts.LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    """How the policy spreads its environments over clusters; who asks for it is run once for each."""
    return str(request.param)


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    subprocess.run(["git", "-C", str(folder), *settings, *words], check=True, capture_output=True)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Fills a folder with what a function makes, which it does once: each test has a copy of its own.

    The function may depend on nothing but its further arguments, and on the folder only as one that moves.
    """
    templates: dict[tuple[object, ...], Path] = {}

    def fill(folder: Path, make: Callable[..., None], *arguments: object) -> None:
        key = (make, *arguments)
        if key not in templates:
            template = tmp_path_factory.mktemp("template")
            make(template, *arguments)
            templates[key] = template
        shutil.copytree(templates[key], folder, symlinks=True, dirs_exist_ok=True)

    return fill


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: Callable[..., None]) -> Path:
    """A clone whose clusters do not answer, and whose production branch nobody has pushed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "kubeconfig").write_text(NOBODY)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    filled(tmp_path, _with_origin)
    root = tmp_path / "shop"
    git(root, "remote", "set-url", "origin", str(tmp_path / "origin"))
    return root


def _with_origin(folder: Path) -> None:
    git(folder, "init", "--quiet", "--bare", "origin")
    root = folder / "shop"
    git(folder, "clone", "--quiet", str(folder / "origin"), str(root))
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth", image="registry.example.com/auth")
    git(root, "checkout", "--quiet", "-b", "develop")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    git(root, "push", "--quiet", "origin", "develop", "develop:release")
