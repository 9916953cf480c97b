"""The line that says which changes here a deployment is without."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from hanbae import workspaces
from hanbae.actions import init, new_service
from hanbae.cli import options, undeployed
from hanbae.cli.text import catalogue, narration

VALUES = "services/auth/helm/values-dev.yaml"


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    answer = subprocess.run(
        ["git", "-C", str(folder), *settings, *words], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    root = tmp_path / "shop"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin"), str(root))
    git(root, "checkout", "--quiet", "-b", "develop")
    init.init(root, one_cluster=True)
    for service in ("auth", "mail"):
        new_service.new_service(root, service, image=f"registry.example.com/{service}")
    commit(root)
    git(root, "push", "--quiet", "origin", "develop")
    return root


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "next")


def warned(root: Path, *services: str, language: str = "en") -> str:
    catalogue.speak(language)
    stream = io.StringIO()
    session = options.Session(root, narration.Narration(stream=stream, color=False))
    revision = git(root, "rev-parse", "origin/develop")
    with workspaces.opened(root) as space:
        undeployed.warn(session, space, services, revision)
    return stream.getvalue().replace(revision[:12], "REVISION")


def test_only_the_services_own_files_are_warned_of(shop: Path) -> None:
    assert not warned(shop, "auth", "mail")
    (shop / VALUES).write_text("replicas: 2\n")
    (shop / "README.md").write_text("not a service's\n")
    assert not warned(shop, "mail")
    assert warned(shop, "auth", "mail") == (
        f"! REVISION is without your changes in {VALUES}: they are not committed.\n"
    )
    commit(shop)
    assert warned(shop, "auth") == (
        f"! REVISION is without your changes in {VALUES}: they are not pushed.\n"
    )
    assert warned(shop, "auth", language="ko") == (
        f"! REVISION 리비전에는 {VALUES}의 변경이 없습니다. 아직 푸시하지 않았습니다.\n"
    )


def test_three_files_are_named_and_the_others_counted(shop: Path) -> None:
    (shop / VALUES).write_text("replicas: 2\n")
    commit(shop)
    for number in range(4):
        (shop / f"services/auth/{number}.txt").write_text("new")
    names = ", ".join(f"services/auth/{number}.txt" for number in range(3))
    assert warned(shop, "auth") == (
        f"! REVISION is without your changes in {names} and 2 more: "
        "some are not committed, some not pushed.\n"
    )
    assert f"{names} 외 2개의 변경" in warned(shop, "auth", language="ko")
