"""Symbolic links of a working tree and of a commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hanbae.repository import checkouts, trees

LINKS = {"docs/in.md": "../README.md", "docs/out.md": "../../secret"}


def write_links(root: Path) -> None:
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text("x")
    for path, target in LINKS.items():
        (root / path).symlink_to(target)


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_links_are_told_without_a_clone(tmp_path: Path) -> None:
    write_links(tmp_path / "tree")
    assert trees.WorkingTree(tmp_path / "tree").links() == LINKS


def test_links_are_told_whether_committed_or_not(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    write_links(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    assert trees.WorkingTree(root).links() == LINKS
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "x")
    assert trees.WorkingTree(root).links() == LINKS
    assert checkouts.Checkout.open(root).revision("HEAD").links() == LINKS


def test_link_that_became_a_file_is_none(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    write_links(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "x")
    (root / "docs/in.md").unlink()
    (root / "docs/in.md").write_text("x")
    assert trees.WorkingTree(root).links() == {"docs/out.md": "../../secret"}
