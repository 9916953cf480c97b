"""A folder of a branch that looks like a git repository: its configuration has programs run, and is nobody's word."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.policy import clones
from hanbae.repository import checkouts

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    git(folder, "init", "-q", "-b", "dev")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a")
    git(folder, "remote", "add", "origin", f"file://{folder}")
    git(folder, "update-ref", "refs/remotes/origin/dev", "HEAD")
    return folder


def trap(folder: Path) -> Path:
    """A program that leaves a mark; the mark."""
    program, mark = folder / "trap", folder / "mark"
    program.write_text(f"#!/bin/sh\necho ran >> '{mark}'\nexit 1\n")
    program.chmod(0o755)
    return mark


def embed(clone: Path, folder: Path) -> Path:
    """What a branch can bring: git refuses to commit ``.git``, and takes everything else for ordinary files."""
    inner = clone / "team"
    shutil.copytree(clone / ".git", inner)
    shutil.copy(clone / "hanbae.yaml", inner / "hanbae.yaml")
    (inner / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
        f"\tsshCommand = {folder / 'trap'}\n\tfsmonitor = {folder / 'trap'}\n"
        '[remote "origin"]\n\turl = ssh://git@127.0.0.1/x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
    )
    return inner


def test_its_configuration_runs_nothing(clone: Path, tmp_path: Path) -> None:
    mark = trap(tmp_path)
    inner = embed(clone, tmp_path)
    for words in (["plan", "--env", "dev"], ["deploy", "--env", "dev"], ["check", "--no-cache"]):
        ended = subprocess.run(
            [sys.executable, "-m", "hanbae", "--lang", "en", *words],
            cwd=inner,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "KUBECONFIG": "/nonexistent"},
        )
        assert ended.returncode == 2, ended.stderr
        assert "safe.bareRepository" in ended.stderr
    assert not mark.exists()


def test_it_is_no_clone_for_those_who_ask(clone: Path, tmp_path: Path) -> None:
    inner = embed(clone, tmp_path)
    with pytest.raises(errors.WrongUse, match="embedded"):
        clones.discover(inner)
    with pytest.raises(errors.WrongUse, match="embedded"):
        clones.discover(inner / "refs")
    assert clones.discover(clone) is not None
    assert clones.discover(clone / "services") is not None


def test_a_worktree_and_a_folder_of_its_own_for_git_are_clones(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "x")
    assert clones.discover(tmp_path / "tree" / "services") is not None
    git(clone, "init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"))
    assert clones.discover(clone / "services") is not None


@pytest.mark.parametrize(
    "configured",
    [
        ["core.hooksPath", "HOOKS"],
        ["remote.origin.url", "ext::TRAP"],
        ["url.ext::TRAP .insteadOf", "file://"],
    ],
    ids=["hooks of the branch", "a program for a remote", "a program for every remote"],
)
def test_fetching_runs_no_program_that_lies_in_the_branch(
    clone: Path, tmp_path: Path, configured: list[str]
) -> None:
    mark = trap(tmp_path)
    hooks = clone / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout", "post-merge"):
        shutil.copy(tmp_path / "trap", hooks / name)
    words = [
        word.replace("HOOKS", str(hooks)).replace("TRAP", str(tmp_path / "trap"))
        for word in configured
    ]
    git(clone, "commit", "-q", "--allow-empty", "-m", "b")
    git(clone, "config", *words)
    mark.unlink(missing_ok=True)
    try:
        checkouts.Checkout.open(clone).fetch("origin", ["dev"])
    except errors.Unreachable as error:
        assert "ext" in str(error)  # noqa: PT017  some are refused, the others harmless
    assert not mark.exists()
