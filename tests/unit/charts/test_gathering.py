"""Which files are a chart: links followed inside, .helmignore applied, near dependencies found."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae import errors, subjects
from hanbae.charts import gathering
from hanbae.repository import checkouts, trees

Make = Callable[[], trees.Tree]


@pytest.fixture(params=["working tree", "revision"])
def tree_of(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a tree of what is in the folder."""

    def make() -> trees.Tree:
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x", "--allow-empty"]):
            subprocess.run([*git, *words], cwd=tmp_path, check=True, capture_output=True)
        if request.param == "revision":
            return checkouts.Checkout.open(tmp_path).revision("HEAD")
        return trees.WorkingTree(tmp_path)

    return make


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_links_to_files_and_folders_are_followed(tmp_path: Path, tree_of: Make) -> None:
    write(tmp_path, a__Chart="x", shared__one="1", shared__deep__two="2")
    (tmp_path / "a" / "templates").symlink_to("../shared")
    (tmp_path / "a" / "single").symlink_to("../shared/one")
    assert gathering.files(tree_of(), "a") == {
        "Chart": b"x",
        "single": b"1",
        "templates/one": b"1",
        "templates/deep/two": b"2",
    }


def test_the_digest_changes_with_what_a_link_leads_to(tmp_path: Path, tree_of: Make) -> None:
    write(tmp_path, a__Chart="x", shared__one="1", shared__two="2")
    (tmp_path / "a" / "folder").symlink_to("../shared")
    (tmp_path / "a" / "single").symlink_to("../shared/one")
    before = gathering.digest(tree_of(), "a")
    assert gathering.digest(tree_of(), "a") == before
    write(tmp_path, shared__one="changed")
    after = gathering.digest(tree_of(), "a")
    write(tmp_path, shared__one="1", shared__two="changed")
    assert len({before, after, gathering.digest(tree_of(), "a")}) == 3


def test_the_digest_changes_with_a_dependency_in_the_repository(
    tmp_path: Path, tree_of: Make
) -> None:
    near = "name: a\ndependencies: [{name: b, repository: 'file://../b'}]\n"
    write(tmp_path, **{"a__Chart.yaml": near, "b__Chart.yaml": "name: b\n", "c": ""})
    before = gathering.digest(tree_of(), "a")
    write(tmp_path, c="elsewhere")
    assert gathering.digest(tree_of(), "a") == before
    write(tmp_path, **{"b__Chart.yaml": "name: b\nversion: 2\n"})
    assert gathering.digest(tree_of(), "a") != before


@pytest.mark.parametrize("target", ["/etc", "../../..", "/etc/hostname"])
def test_a_link_out_of_the_repository_is_refused(
    tmp_path: Path, tree_of: Make, target: str
) -> None:
    write(tmp_path, a__Chart="x")
    (tmp_path / "a" / "leak").symlink_to(target)
    with pytest.raises(errors.FileFault) as caught:
        gathering.files(tree_of(), "a")
    assert caught.value.text.id == "repository.link-out"


def test_links_to_folders_above_themselves_end(tmp_path: Path, tree_of: Make) -> None:
    write(tmp_path, a__Chart="x")
    for name in ("one", "two"):
        (tmp_path / "a" / name).symlink_to(".")
    with pytest.raises(errors.FileFault) as caught:
        gathering.files(tree_of(), "a")
    assert caught.value.text.id in {"render.too-many-files", "repository.unreadable"}


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("", {"a.txt", "b/a.txt", "b/c/d", "e"}),
        ("a.txt", {"b/c/d", "e"}),
        ("/a.txt", {"b/a.txt", "b/c/d", "e"}),
        ("b/", {"a.txt", "e"}),
        ("e/", {"a.txt", "b/a.txt", "b/c/d", "e"}),
        ("b/*", {"a.txt", "e"}),
        ("?", {"a.txt"}),
        ("[a-b].txt", {"b/c/d", "e"}),
        ("[^b].txt", {"b/c/d", "e"}),
        ("# e\n\n  e  \r", {"a.txt", "b/a.txt", "b/c/d"}),
        ("\\e", {"a.txt", "b/a.txt", "b/c/d"}),
        ("!e", {"e"}),
    ],
)
def test_helmignore_is_read_as_helm_reads_it(
    tmp_path: Path, tree_of: Make, rules: str, left: set[str]
) -> None:
    write(tmp_path, **{"x__a.txt": "", "x__b__a.txt": "", "x__b__c__d": "", "x__e": ""})
    write(tmp_path, **{"x__.helmignore": rules, "x__templates__.hidden": ""})
    files = set(gathering.listed(tree_of(), "x")) - {".helmignore"}
    assert files == left


@pytest.mark.parametrize("rules", ["a/**/b", "[", "a\\"])
def test_a_helmignore_that_helm_refuses_is_one_fault(
    tmp_path: Path, tree_of: Make, rules: str
) -> None:
    write(tmp_path, **{"x__a": "", "x__.helmignore": rules})
    with pytest.raises(errors.FileFault) as caught:
        gathering.files(tree_of(), "x")
    assert caught.value.text.id == "render.bad-ignore"


@pytest.mark.parametrize(
    "repository",
    [
        "ssh://charts.example.com",
        "file://../../../etc",
        "file:///etc",
        "file://../none",
        "file://",
        "",
    ],
)
def test_a_dependency_from_elsewhere_is_refused(
    tmp_path: Path, tree_of: Make, repository: str
) -> None:
    near = f"name: a\ndependencies: [{{name: b, version: 1.0.0, repository: '{repository}'}}]\n"
    write(tmp_path, **{"charts__a__Chart.yaml": near})
    tree = tree_of()
    with pytest.raises(errors.FileFault) as caught:
        gathering.completed(tree, "charts/a", gathering.files(tree, "charts/a"), ["b"])
    assert caught.value.text.id == "render.dependency-missing"
    assert caught.value.place == subjects.Place("charts/a/Chart.yaml", 2)
