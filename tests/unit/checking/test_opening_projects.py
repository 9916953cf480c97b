"""What it takes to open the repository that rules look at."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pygit2
import pytest
from tests.support import layouts

from hanbae.charts import pools
from hanbae.checking import inspection_worker, projects
from hanbae.policy import clones, loading, loose_objects
from hanbae.repository import index_entries, trees
from hanbae.rules import views


def _git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    layouts.begin(tmp_path, "one-cluster")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        _git(tmp_path, *words)
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

    def recorded(path: Path, *, examined: bool = False) -> pygit2.Repository | None:
        folders.append(path)
        return discover(path, examined=examined)

    monkeypatch.setattr(clones, "discover", recorded)
    project = projects.project(shop)
    assert "hanbae.yaml" in project.branches["dev"].files()
    assert folders == [shop]


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


def test_what_one_process_has_listed_another_need_not_list(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "link").symlink_to("hanbae.yaml")
    (shop / os.fsdecode(b"\xe4.yaml")).write_text("a: 1\n")
    (shop / "hanbae.yaml").write_text((shop / "hanbae.yaml").read_text() + "# changed\n")
    subprocess.run(
        ["git", "update-index", "--assume-unchanged", ".gitignore"], cwd=shop, check=True
    )
    (shop / ".gitignore").write_text("nothing\n")
    own = projects.project(shop)
    assert isinstance(own.tree, trees.WorkingTree)
    task = inspection_worker.Task(os.fsencode(shop), None, None, own.now, None).of(own)
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(task), type=inspection_worker.Task)
    for function in ("_listed", "_walked"):
        monkeypatch.delattr(trees.WorkingTree, function)
    monkeypatch.delattr(loose_objects, "damaged")
    other, _ = projects.opened(shop, None, None, now=own.now, listing=sent.listing)
    assert other.services == own.services
    assert other.tree.files() == own.tree.files()
    assert other.tree.links() == own.tree.links() == {"link": "hanbae.yaml"}
    assert other.tree.read(".gitignore") == own.tree.read(".gitignore") != b"nothing\n"
    assert other.tree.ignored("x/values.yaml") is own.tree.ignored("x/values.yaml")


@pytest.mark.parametrize(
    ("revision", "policy_from"), [(None, None), ("HEAD", None), (None, "HEAD")]
)
async def test_all_processes_of_a_check_compare_with_the_same_heads(
    shop: Path, revision: str | None, policy_from: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = loading.load(shop / "hanbae.yaml").policy.environments["dev"].branch
    fetched = f"refs/remotes/origin/{branch}"
    _git(shop, "remote", "add", "origin", ".")
    _git(shop, "update-ref", fetched, "HEAD")
    own, _ = projects.opened(shop, revision, policy_from)
    task = inspection_worker.Task(os.fsencode(shop), revision, policy_from, own.now, None).of(own)
    _git(shop, "commit", "--allow-empty", "-qm", "pushed by somebody else")
    _git(shop, "update-ref", fetched, "HEAD")
    others: list[views.Project] = []
    opened = projects.opened

    def recorded(*arguments: Any, **options: Any) -> tuple[views.Project, views.Project | None]:
        project, base = opened(*arguments, **options)
        others.append(project)
        return project, base

    monkeypatch.setattr(projects, "opened", recorded)
    async with pools.opened(1) as pool:
        await inspection_worker._answer(task, pool, io.BytesIO(), io.BytesIO())
    (other,) = others
    assert own.branches
    assert _commits(other) == _commits(own) != _commits(projects.project(shop))


def _commits(project: views.Project) -> dict[str, str]:
    return {name: trees.commit_of(branch) for name, branch in project.branches.items()}


def test_a_check_imports_no_database_where_there_is_no_history() -> None:
    program = "import sys; import hanbae.actions.check; sys.exit('sqlite3' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
