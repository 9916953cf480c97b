"""Files that a deployment is without, because they were not committed or not pushed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae.repository import undeployed

VALUES = "services/auth/helm/values-dev.yaml"
FOLDERS = ("services/auth", "services/mail")


def git(folder: Path, *words: str) -> str:
    options = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    answer = subprocess.run(
        ["git", "-C", str(folder), *options, *words], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def commit(root: Path, message: str) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone on `develop`, with one commit that its remote has."""
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    root = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin"), str(root))
    git(root, "checkout", "--quiet", "-b", "develop")
    write(root, VALUES, "image: {tag: 1.0.0}\n")
    write(root, "services/mail/helm/values-dev.yaml", "{}\n")
    write(root, ".gitignore", "*.log\n")
    commit(root, "first")
    git(root, "push", "--quiet", "origin", "develop")
    return root


def changes(root: Path, deployed: str = "origin/develop") -> undeployed.Changes:
    return undeployed.below(root, FOLDERS, deployed=deployed, remote="origin")


def test_what_the_remote_has_is_deployed(clone: Path) -> None:
    assert changes(clone) == undeployed.Changes()
    write(clone, "services/mail/build.log", "ignored")
    write(clone, "README.md", "beside the services")
    assert changes(clone) == undeployed.Changes()


def test_changed_new_and_deleted_files_are_uncommitted(clone: Path) -> None:
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    write(clone, "services/auth/migrations/00001_first.sql", "SELECT 1;")
    (clone / "services/mail/helm/values-dev.yaml").unlink()
    assert changes(clone).uncommitted == (
        VALUES,
        "services/auth/migrations/00001_first.sql",
        "services/mail/helm/values-dev.yaml",
    )
    assert changes(clone).unpushed == ()


def test_commits_that_were_not_pushed_are_told_from_the_working_tree(clone: Path) -> None:
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    commit(clone, "second")
    write(clone, "services/mail/helm/values-dev.yaml", "replicas: 2\n")
    assert changes(clone) == undeployed.Changes(("services/mail/helm/values-dev.yaml",), (VALUES,))


def test_branch_that_was_pushed_is_chosen_and_not_forgotten(clone: Path) -> None:
    git(clone, "checkout", "--quiet", "-b", "feature")
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    commit(clone, "feature")
    assert changes(clone).unpushed == (VALUES,)
    git(clone, "push", "--quiet", "origin", "feature")
    assert changes(clone) == undeployed.Changes()


def test_merge_that_was_not_pushed_names_only_what_no_branch_has(clone: Path) -> None:
    git(clone, "checkout", "--quiet", "-b", "feature")
    write(clone, "services/mail/helm/values-dev.yaml", "replicas: 2\n")
    commit(clone, "feature")
    git(clone, "push", "--quiet", "origin", "feature")
    git(clone, "checkout", "--quiet", "develop")
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    commit(clone, "second")
    git(clone, "merge", "--quiet", "--no-ff", "--no-edit", "feature")
    assert changes(clone).unpushed == (VALUES,)


def test_same_content_under_another_commit_is_deployed(clone: Path) -> None:
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    ours = commit(clone, "ours")
    git(clone, "reset", "--quiet", "--hard", "HEAD^")
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    commit(clone, "theirs")
    git(clone, "push", "--quiet", "origin", "develop")
    git(clone, "reset", "--quiet", "--hard", ours)
    assert changes(clone) == undeployed.Changes()


def test_older_commit_may_be_deployed_from_a_newer_checkout(clone: Path) -> None:
    write(clone, VALUES, "image: {tag: 1.1.0}\n")
    commit(clone, "second")
    git(clone, "push", "--quiet", "origin", "develop")
    assert changes(clone, "origin/develop^") == undeployed.Changes()


def test_nothing_is_warned_of_without_a_clone_or_a_commit(tmp_path: Path) -> None:
    assert changes(tmp_path) == undeployed.Changes()
    git(tmp_path, "init", "--quiet")
    write(tmp_path, VALUES, "{}\n")
    assert changes(tmp_path) == undeployed.Changes()
