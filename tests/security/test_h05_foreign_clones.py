"""A clone that belongs to another user, as in every CI container that mounts one: the same words from every command."""

from __future__ import annotations

import os
import shutil
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


def ran(shop: Path, home: Path, *words: str, **configuration: str) -> scenes.Ended:
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "COLUMNS": "400"}
    command = ("--lang", "en", "-C", str(shop), *words)
    return scenes.hanbae(*command, directory=None, **environment, **configuration)


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


def test_what_git_trusts_through_its_environment_is_trusted(shop: Path, tmp_path: Path) -> None:
    """Images for CI set these; libgit2 does not know them."""
    file = tmp_path / "configuration"
    file.write_text(f"[safe]\n\tdirectory = {shop}\n")
    setting = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
    for configuration in (
        setting | {"GIT_CONFIG_VALUE_0": "*"},
        {"GIT_CONFIG_GLOBAL": str(file)},
        {"GIT_CONFIG_SYSTEM": str(file)},
    ):
        ended = ran(shop, tmp_path, "render", "auth", "--env", "dev", **configuration)
        assert ended.code == 0, (configuration, ended.err)
    ended = ran(shop, tmp_path, "render", "auth", **setting, GIT_CONFIG_VALUE_0="/elsewhere")
    assert ended.code == 2, ended.err


def test_a_git_that_asks_nobody_whose_a_clone_is_is_not_believed(
    shop: Path, tmp_path: Path
) -> None:
    """Before 2.35.2, reading a clone said nothing of trusting it."""
    git = shutil.which("git")
    programs = tmp_path / "programs"
    programs.mkdir()
    older = programs / "git"
    older.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && echo git version 2.30.1 && exit\nexec {git} "$@"\n'
    )
    older.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    trust = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    assert ran(shop, tmp_path, "render", "auth", "--env", "dev", **trust).code == 0
    ended = ran(shop, tmp_path, "render", "auth", "--env", "dev", PATH=path, **trust)
    assert ended.code == 2, ended.err


def test_no_other_repository_is_asked_about_instead(shop: Path, tmp_path: Path) -> None:
    """A hook's variables name another one."""
    own = tmp_path / "own"
    subprocess.run(["git", "init", "-q", str(own)], check=True)
    ended = ran(shop, tmp_path, "render", "auth", GIT_DIR=str(own / ".git"))
    assert ended.code == 2, ended.err
    assert "safe.directory" in ended.err


def test_a_linked_working_tree_is_trusted_under_its_own_name(tmp_path: Path) -> None:
    root, home, linked = tmp_path / "root", tmp_path / "home", tmp_path / "linked"
    for folder in (root, home):
        folder.mkdir()
    layouts.begin(root, "one-cluster")
    new_service.new_service(root, "auth")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    add = ["worktree", "add", "-q", str(linked)]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"], add):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    subprocess.run(["chown", "-R", "1000", str(linked)], check=True)
    rendering = ("render", "auth", "--env", "dev")
    ended = ran(linked, home, *rendering)
    assert ended.code == 2, ended.err
    assert f"git config --global --add safe.directory {linked}\n" in ended.err
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    cure = ["git", "config", "--global", "--add", "safe.directory", str(linked)]
    subprocess.run(cure, env=environment, check=True)
    assert ran(linked, home, *rendering).code == 0


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
