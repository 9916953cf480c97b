"""What it takes to open the repository that rules look at."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pygit2
import pytest
from tests.support import layouts

from hanbae.checking import projects
from hanbae.policy import clones, loading
from hanbae.repository import index_entries, trees


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    layouts.begin(tmp_path, "one-cluster")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_working_tree_and_its_branches_are_of_one_opened_clone(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = loading.load(shop / "hanbae.yaml").policy.environments["dev"].branch
    fetched = f"refs/remotes/origin/{branch}"
    for words in (["remote", "add", "origin", "."], ["update-ref", fetched, "HEAD"]):
        subprocess.run(["git", *words], cwd=shop, check=True)
    folders: list[Path] = []
    discover = clones.discover

    def recorded(path: Path) -> pygit2.Repository | None:
        folders.append(path)
        return discover(path)

    monkeypatch.setattr(clones, "discover", recorded)
    project = projects.project(shop)
    assert "hanbae.yaml" in project.branches["dev"].files()
    assert folders == [shop]


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = trees.WorkingTree(shop)
    fstat = os.fstat

    def shorter(handle: int) -> os.stat_result:
        status = list(fstat(handle))
        status[stat.ST_SIZE] = 10
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", shorter)
    assert tree.read("hanbae.yaml") == (shop / "hanbae.yaml").read_bytes()


def test_an_index_is_gone_through_once(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[int] = []
    entries = index_entries.of

    def counted(repository: pygit2.Repository) -> list[index_entries.Entry]:
        listed = entries(repository)
        walks.append(len(listed))
        return listed

    monkeypatch.setattr(index_entries, "of", counted)
    # Each of pygit2's entries takes ten times as long.
    monkeypatch.delattr(pygit2.index.Index, "__iter__")
    tree = trees.WorkingTree(shop)
    assert not tree.ignored("hanbae.yaml")
    assert walks == [len(tree.files())]
