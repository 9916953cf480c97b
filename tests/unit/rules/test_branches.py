"""Which branches a check knows: those that were fetched from the policy's remote, in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae.checking import projects

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, namespace_suffix: -dev}
  staging: {branch: release, namespace_suffix: -staging}
  production: {branch: main, namespace_suffix: -production}
"""
FILE = "services/auth/migrations/00001_a.sql"


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=kim", "-c", "user.email=kim@example.com")
    ended = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return ended.stdout.strip()


def write(folder: Path, text: str) -> None:
    target = folder / FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose remote has main and develop, and whose working tree differs from both."""
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    remote.mkdir()
    git(remote, "init", "--quiet", "--initial-branch=main")
    (remote / "hanbae.yaml").write_text(POLICY)
    write(remote, "main")
    git(remote, "add", ".")
    git(remote, "commit", "--quiet", "-m", "main")
    git(remote, "checkout", "--quiet", "-b", "develop")
    write(remote, "develop")
    git(remote, "commit", "--quiet", "-am", "develop")
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    write(clone, "here")
    return clone


def test_branches_that_were_fetched_are_known_and_nothing_is_fetched(clone: Path) -> None:
    compared = projects.project(clone)
    assert set(compared.branches) == {"dev", "production"}
    assert compared.branches["dev"].read(FILE) == b"develop"
    assert compared.branches["production"].read(FILE) == b"main"
    assert compared.tree.read(FILE) == b"here"
    git(clone.parent / "remote", "branch", "release")
    assert set(projects.project(clone).branches) == {"dev", "production"}


def test_equal_content_has_equal_ids_in_a_working_tree_and_on_a_branch(clone: Path) -> None:
    write(clone, "main")
    compared = projects.project(clone)
    assert compared.tree.files()[FILE] == compared.branches["production"].files()[FILE]
    assert compared.tree.files()[FILE] != compared.branches["dev"].files()[FILE]


def test_a_revision_is_compared_with_the_same_branches(clone: Path) -> None:
    compared = projects.project(clone, revision="origin/main")
    assert set(compared.branches) == {"dev", "production"}
    assert compared.tree.files() == compared.branches["production"].files()


def test_no_branch_is_known_outside_a_clone_or_below_its_root(clone: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "hanbae.yaml").write_text(POLICY)
    assert projects.project(plain).branches == {}
    below = clone / "below"
    below.mkdir()
    (below / "hanbae.yaml").write_text(POLICY)
    assert projects.project(below).branches == {}
