"""A policy that another user has put into a folder above is not read: it would steer where secrets and tokens go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support import layouts, scenes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

OTHER = 65534


def ran(folder: Path, *words: str, **environment: str) -> scenes.Ended:
    return scenes.hanbae("--lang", "en", *words, directory=folder, COLUMNS="300", **environment)


def planted(root: Path) -> Path:
    """A folder that all may write to, with a stranger's policy in it; the folder below is the victim's."""
    layouts.begin(root, "one-cluster")
    (root / "mine").mkdir()
    shutil.chown(root / "hanbae.yaml", OTHER)
    return root / "mine"


@pytest.mark.parametrize(
    "words",
    [("generate", "argocd"), ("check",), ("secrets", "list"), ("history", "list")],
    ids=" ".join,
)
def test_a_strangers_policy_in_a_folder_above_is_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = ran(planted(tmp_path), *words)
    assert (ended.code, "belongs to another user" in ended.err) == (2, True), ended.err
    assert not (tmp_path / "k8s/argocd").exists()


def test_a_strangers_empty_clone_around_it_changes_nothing(tmp_path: Path) -> None:
    mine = planted(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["chown", "-R", str(OTHER), str(tmp_path / ".git")], check=True)
    shutil.chown(tmp_path, OTHER)
    ended = ran(mine, "generate", "argocd", HOME=str(mine))
    assert (ended.code, "safe.directory" in ended.err) == (2, True), ended.err


def test_own_policies_and_those_in_clones_that_git_trusts_are_read(tmp_path: Path) -> None:
    mine = planted(tmp_path)
    shutil.chown(tmp_path / "hanbae.yaml", os.geteuid())
    assert ran(mine, "generate", "argocd").code == 0
    shutil.chown(tmp_path / "hanbae.yaml", OTHER)
    # Under sudo the files are those of whoever called it.
    assert ran(mine, "generate", "argocd", SUDO_UID=str(OTHER)).code == 0
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert ran(mine, "generate", "argocd").code == 0
