"""What is not committed is noticed by folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae.repository import uncommitted

FOLDERS = ("services/auth", "services/mail")


@pytest.mark.parametrize("below", ["", "platform"])
def test_only_folders_with_uncommitted_changes_are_named(tmp_path: Path, below: str) -> None:
    root = tmp_path / below
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        (root / folder / "values.yaml").write_text("a: 1\n")
    (tmp_path / ".gitignore").write_text("*.log\n")
    git = ("git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run([*git, "init", "-q"], check=True)
    assert uncommitted.folders(root, FOLDERS) == (), "without a commit there is nothing to compare"
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    assert uncommitted.folders(root, FOLDERS) == ()
    (root / "services/mail/build.log").write_text("ignored")
    assert uncommitted.folders(root, FOLDERS) == ()
    (root / "services/mail/values.yaml").write_text("a: 2\n")
    assert uncommitted.folders(root, FOLDERS) == ("services/mail",)
    subprocess.run([*git, "commit", "-qam", "second"], check=True)
    (root / "services/auth/new.sql").write_text("SELECT 1;")
    assert uncommitted.folders(root, FOLDERS) == ("services/auth",)


def test_folder_outside_of_git_has_nothing_to_warn_of(tmp_path: Path) -> None:
    assert uncommitted.folders(tmp_path, FOLDERS) == ()
