"""Clones in forms that git knows and that are seldom met: read as git reads them, or refused with what cures it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.repository import checkouts, histories, trees


def git(folder: Path, *words: str) -> str:
    settings = ("user.name=t", "user.email=t@example.com", "commit.gpgsign=false")
    options = [word for setting in settings for word in ("-c", setting)]
    options += ["-c", "protocol.file.allow=always"]
    ended = subprocess.run(
        ["git", "-C", str(folder), *options, *words], check=True, capture_output=True, text=True
    )
    return ended.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "services").mkdir(parents=True)
    git(root, "init", "-q")
    for number in range(2):
        (root / "services/a.yaml").write_text(f"a: {number}\n")
        (root / "b.yaml").write_text("b: 1\n")
        git(root, "add", "-A")
        git(root, "commit", "-qm", f"change {number}")
    return root


def cloned(clone: Path, *options: str) -> Path:
    git(clone, "config", "uploadpack.allowFilter", "true")
    target = clone.with_name("cloned")
    git(clone, "clone", "-q", *options, f"file://{clone}", str(target))
    return target


def refusal(folder: Path) -> errors.WrongUse:
    with pytest.raises(errors.WrongUse) as caught:
        trees.WorkingTree(folder).read("services/a.yaml")
    return caught.value


def test_the_working_tree_is_where_a_git_file_lies_not_beside_what_it_leads_to(
    clone: Path,
) -> None:
    git(clone, "init", "-q", "--separate-git-dir", str(clone.parent / "elsewhere.git"))
    assert set(trees.WorkingTree(clone).files()) == {"b.yaml", "services/a.yaml"}
    assert set(trees.WorkingTree(clone / "services").files()) == {"a.yaml"}
    assert checkouts.Checkout.open(clone / "services").root == clone


def test_the_working_tree_is_where_a_link_to_git_lies_not_beside_what_it_leads_to(
    clone: Path,
) -> None:
    (clone / ".git").rename(clone.parent / "elsewhere")
    (clone / ".git").symlink_to("../elsewhere")
    assert set(trees.WorkingTree(clone).files()) == {"b.yaml", "services/a.yaml"}
    assert checkouts.Checkout.open(clone / "services").root == clone


def test_a_linked_working_tree_without_its_repository_is_refused(clone: Path) -> None:
    """As in a container into which only the working tree is mounted, and in a clone around it."""
    linked = clone / "linked"
    git(clone, "worktree", "add", "-q", str(linked))
    assert "b.yaml" in trees.WorkingTree(linked).files()
    shutil.rmtree(clone / ".git/worktrees")
    refused = refusal(linked)
    assert refused.text.id == "repository.lost"
    assert refused.text.facts["target"] == str(clone / ".git/worktrees/linked")
    shutil.rmtree(clone / ".git")
    assert refusal(linked).text.id == "repository.lost"
    assert refusal(linked / "services").text.id == "repository.lost"


@pytest.mark.parametrize(
    "written",
    [
        ("sparse-checkout", "set", "--cone", "--sparse-index", "x"),
        ("update-index", "--split-index"),
    ],
    ids=" ".join,
)
def test_an_index_that_cannot_be_read_is_told_with_the_command_that_cures_it(
    clone: Path, written: tuple[str, ...]
) -> None:
    git(clone, *written)
    refused = refusal(clone)
    assert refused.text.id == "repository.other-form"
    git(clone, *shlex.split(str(refused.text.facts["command"]))[1:])
    assert "b.yaml" in trees.WorkingTree(clone).files()


def test_references_that_cannot_be_read_are_told_with_the_command_that_cures_it(
    clone: Path,
) -> None:
    git(clone, "config", "core.repositoryformatversion", "1")
    git(clone, "config", "extensions.refStorage", "reftable")
    refused = refusal(clone)
    assert refused.text.id == "repository.other-form"
    assert refused.text.facts["command"] == "git refs migrate --ref-format=files"


def test_ids_of_sha_256_are_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    assert refusal(tmp_path).text.id == "repository.sha256"


@pytest.mark.parametrize("option", ["blob:none", "tree:0"])
def test_what_a_partial_clone_lacks_is_told_with_the_command_that_fetches_it(
    clone: Path, option: str
) -> None:
    partial = cloned(clone, f"--filter={option}")
    with pytest.raises(errors.WrongUse, match=r"repository\.partial"):
        checkouts.Checkout.open(partial).revision("HEAD~1").read("services/a.yaml")
    git(partial, "fetch", "-q", "--refetch", "--no-filter")
    revision = checkouts.Checkout.open(partial).revision("HEAD~1")
    assert revision.read("services/a.yaml") == b"a: 0\n"


def test_an_object_that_is_gone_is_not_called_a_partial_clone(clone: Path) -> None:
    name = git(clone, "rev-parse", "HEAD:b.yaml")
    (clone / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(errors.WrongUse, match=r"repository\.broken"):
        checkouts.Checkout.open(clone).revision("HEAD").read("b.yaml")


def test_what_a_shallow_clone_lacks_is_told_as_such(clone: Path) -> None:
    shallow = cloned(clone, "--depth=1")
    for asking in (
        checkouts.Checkout.open(shallow).revision,
        lambda r: histories.History(shallow, r),
    ):
        with pytest.raises(errors.WrongUse, match=r"repository\.no-revision-shallow"):
            asking("HEAD~1")
    git(shallow, "fetch", "-q", "--unshallow")
    checkouts.Checkout.open(shallow).revision("HEAD~1")


@pytest.mark.parametrize("name", ["HEAD", "HEAD~1", "@"])
def test_a_clone_without_a_commit_is_told_as_such(tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "-q")
    for asking in (
        checkouts.Checkout.open(tmp_path).revision,
        lambda revision: histories.History(tmp_path, revision),
    ):
        with pytest.raises(errors.WrongUse, match=r"repository\.no-commit"):
            asking(name)
    with pytest.raises(errors.WrongUse, match=r"repository\.no-revision"):
        checkouts.Checkout.open(tmp_path).revision("HEADS")
