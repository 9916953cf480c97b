"""A clone that belongs to another user, as in every CI container that mounts one: the same words from every command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.support import layouts, scenes

from hanbae.actions import new_service

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

COMMANDS = [
    ("check",),
    ("check", "--history"),
    ("render",),
    ("plan", "--base", "HEAD"),
    ("plan", "--env", "dev"),
    ("deploy", "--env", "dev"),
    ("history", "list"),
    ("secrets", "list"),
    ("generate", "rbac"),
    ("generate", "compose"),
    ("local", "check"),
    ("image", "set", "auth", ":1", "--env", "dev", "--no-resolve"),
    ("checklist", "run", "auth", "--env", "dev"),
    ("dependencies", "build"),
    ("doctor", "auth", "--env", "dev"),
    ("generate", "docs"),
    ("hold", "add", "auth", "--env", "dev", "--why", "slow"),
    ("hold", "list"),
    ("local", "up"),
    ("migrations", "plan", "auth", "--env", "dev"),
    ("migrations", "rehearse", "auth"),
    ("new", "service", "auth"),
    ("overlay", "plan", "dev"),
    ("promote", "--from", "dev", "--to", "staging"),
    ("rollback", "auth", "--env", "dev"),
    ("rollout", "status", "auth", "--env", "dev"),
    ("secrets", "report"),
    ("secrets", "seal", "auth", "--env", "dev", "--generate", "KEY=16"),
    ("status",),
    ("stop", "auth", "--env", "dev"),
    ("upgrade",),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("foreign") / "the shop"
    root.mkdir()
    layouts.begin(root, "hub")
    new_service.new_service(root, "auth")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    subprocess.run(["chown", "-R", "1000", str(root)], check=True)
    return root


def ran(shop: Path, home: Path, *words: str) -> scenes.Ended:
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "COLUMNS": "400"}
    return scenes.hanbae("--lang", "en", "-C", str(shop), *words, **environment)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_how_it_is_trusted(
    shop: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = ran(shop, tmp_path, *words)
    assert ended.code == 2, ended.err
    cure = f"git config --global --add safe.directory '{shop}'"
    assert cure in ended.err
    assert "Traceback" not in ended.err


def test_the_command_that_is_named_cures_it(shop: Path, tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    cure = ["git", "config", "--global", "--add", "safe.directory", str(shop)]
    subprocess.run(cure, env=environment, check=True)
    assert ran(shop, tmp_path, "render", "auth", "--env", "dev").code == 0


def test_nothing_is_laid_into_a_clone_that_is_not_trusted(tmp_path: Path) -> None:
    root, home = tmp_path / "bare", tmp_path / "home"
    for folder in (root, home):
        folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["chown", "-R", "1000", str(root)], check=True)
    ended = ran(root, home, "init", "--repository", "https://git.example.com/shop.git")
    assert ended.code == 2, ended.err
    assert f"git config --global --add safe.directory {root}" in ended.err
    assert [path.name for path in root.iterdir()] == [".git"]
