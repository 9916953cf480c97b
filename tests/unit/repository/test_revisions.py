"""The files of a commit, however its tree was made up."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest

from hanbae import errors
from hanbae.repository import checkouts, revisions

FILE, PROGRAM, LINK, MODULE = 0o100644, 0o100755, 0o120000, 0o160000

Tree = dict[str, "bytes | tuple[int, bytes] | Tree"]


def write(repository: pygit2.Repository, tree: Tree) -> pygit2.Oid:
    builder = repository.TreeBuilder()
    for name, content in tree.items():
        if isinstance(content, dict):
            builder.insert(name, write(repository, content), pygit2.enums.FileMode.TREE)
        else:
            mode, data = content if isinstance(content, tuple) else (FILE, content)
            oid = pygit2.Oid(data) if mode == MODULE else repository.create_blob(data)
            builder.insert(name, oid, mode)
    return builder.write()


def revision(folder: Path, tree: Tree) -> revisions.Revision:
    repository = pygit2.init_repository(str(folder))
    who = pygit2.Signature("t", "t@example.com")
    parents = [] if repository.head_is_unborn else [repository.head.target]
    repository.create_commit("HEAD", who, who, "x", write(repository, tree), parents)
    return checkouts.Checkout.open(folder).revision("HEAD")


def link(target: str) -> tuple[int, bytes]:
    return LINK, target.encode()


SHOP: Tree = {
    "services": {
        "auth": {
            "helm": {
                "Chart.yaml": b"name: auth",
                "shared.yaml": link("../../../shared/values.yaml"),
                "templates": {"job.yaml": b"kind: Job"},
            },
            "migrations": {"2.sql": b"two", "1.sql": b"one", "run": (PROGRAM, b"#!")},
        }
    },
    "shared": {"values.yaml": b"a: 1"},
}


def test_files_are_those_of_the_commit_not_of_the_working_tree(tmp_path: Path) -> None:
    tree = revision(tmp_path, SHOP)
    assert tree.read("services/auth/helm/Chart.yaml") == b"name: auth"
    assert tree.read("services/auth/helm/shared.yaml") == b"a: 1"
    assert tree.read("services/auth/helm") is None
    assert tree.read("services/auth/nothing") is None
    assert tree.read("services/auth/helm/Chart.yaml/x") is None
    assert tree.folder("services/auth/migrations") == ["1.sql", "2.sql", "run"]
    assert tree.folder("services/nothing") == []
    assert tree.folder("services/auth/helm/Chart.yaml") == []
    assert len(tree.commit) == 40


def test_linked_folder_is_followed(tmp_path: Path) -> None:
    tree = revision(
        tmp_path, {"a": {"b": link("../c")}, "c": {"d": {"e": b"x"}}, "f": link("a/b/d")}
    )
    assert tree.read("a/b/d/e") == b"x"
    assert tree.folder("f") == ["e"]


@pytest.mark.parametrize(
    ("tree", "text_id"),
    [
        ({"a": {"x": link("../../outside")}}, "repository.link-out"),
        ({"a": {"x": link("/etc/passwd")}}, "repository.link-out"),
        # By its letters this one stays inside; followed as the kernel would, it leaves.
        ({"a": {"x": link("d/../../y"), "d": link("..")}, "y": b""}, "repository.link-out"),
        ({"a": {"x": link("y"), "y": link("x")}}, "repository.endless-link"),
        ({"a": {"x": (MODULE, b"\1" * 20)}}, "repository.submodule"),
    ],
)
def test_tree_that_leads_elsewhere_is_a_fault_with_its_place(
    tmp_path: Path, tree: Tree, text_id: str
) -> None:
    linked = revision(tmp_path / "repository", tree)
    with pytest.raises(errors.FileFault) as caught:
        linked.read("a/x")
    assert caught.value.text.id == text_id
    assert caught.value.place is not None
    assert caught.value.place.file.startswith("a/")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_path_out_of_the_repository_is_a_bug_of_the_caller(tmp_path: Path, path: str) -> None:
    tree = revision(tmp_path, SHOP)
    with pytest.raises(ValueError, match="not a path inside"):
        tree.read(path)


def test_unknown_revision_is_wrong_use(tmp_path: Path) -> None:
    revision(tmp_path, SHOP)
    with pytest.raises(errors.WrongUse, match="no-revision"):
        checkouts.Checkout.open(tmp_path).revision("0" * 40)
