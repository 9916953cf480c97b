"""What git would commit now is what a check sees: the index counts, not the last commit."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.repository import trees


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("values.yaml\n")
    (tmp_path / "values.yaml").write_text("a: 1\n")
    (tmp_path / "other.yaml").write_text("b: 1\n")
    git(tmp_path, "add", "--force", "--all")
    git(tmp_path, "commit", "-qm", "x")
    return tmp_path


def test_an_ignored_file_that_was_taken_out_of_the_index_is_not_there(clone: Path) -> None:
    assert "values.yaml" in trees.WorkingTree(clone).files()
    git(clone, "rm", "--quiet", "--cached", "values.yaml")
    tree = trees.WorkingTree(clone)
    assert set(tree.files()) == {".gitignore", "other.yaml"}
    assert tree.read("values.yaml") is None
    git(clone, "commit", "-qm", "y")
    assert set(trees.WorkingTree(clone).files()) == {".gitignore", "other.yaml"}


def test_one_that_is_not_ignored_would_be_added_again(clone: Path) -> None:
    git(clone, "rm", "--quiet", "--cached", "other.yaml")
    assert "other.yaml" in trees.WorkingTree(clone).files()


def test_one_that_is_gone_from_the_disk_or_from_both_is_not_there(clone: Path) -> None:
    (clone / "other.yaml").unlink()
    git(clone, "rm", "--quiet", "values.yaml")
    assert set(trees.WorkingTree(clone).files()) == {".gitignore"}


def test_a_submodule_counts_only_while_there_is_a_folder_for_it(clone: Path) -> None:
    git(clone, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(clone), "sub")
    git(clone, "commit", "-qm", "sub")
    assert trees.WorkingTree(clone).files()["sub"].startswith(trees.SUBMODULE)
    git(clone, "submodule", "deinit", "-q", "--force", "sub")
    assert trees.WorkingTree(clone).files()["sub"].startswith(trees.SUBMODULE)
    (clone / "sub").rmdir()
    assert "sub" not in trees.WorkingTree(clone).files()
    (clone / "sub").write_text("a file\n")
    assert trees.WorkingTree(clone).read("sub") == b"a file\n"


def test_a_tracked_file_in_a_folder_that_may_not_be_entered_is_not_gone(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git would commit it as it was; without it, a service would pass whose files nobody has looked at."""
    (clone / "other.yaml").unlink()  # as libgit2 has it then
    real = Path.lstat

    def entering(path: Path) -> os.stat_result:
        if path.name == "other.yaml":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(Path, "lstat", entering)
    tree = trees.WorkingTree(clone)
    assert tree.files()["other.yaml"] == trees.UNREADABLE
    with pytest.raises(errors.FileFault, match=r"repository\.unreadable"):
        tree.read("other.yaml")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_lies_in_the_place_of_a_tracked_file_of_patterns_is_named(
    clone: Path, make: Callable[[Path], None]
) -> None:
    (clone / ".gitignore").unlink()
    make(clone / ".gitignore")
    with pytest.raises(errors.FileFault, match=r"values\.not-a-file"):
        trees.WorkingTree(clone)
