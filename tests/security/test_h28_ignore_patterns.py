"""Patterns of ``.gitignore`` and ``.gitattributes`` over which libgit2 takes minutes are refused with their line.

Where they are not refused the attack takes longer than anybody waits, and nothing interrupts it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pygit2
import pytest
from tests.support import layouts, preforking

from hanbae import errors, subjects
from hanbae.actions import new_service
from hanbae.repository import checkouts, trees

pytestmark = pytest.mark.timeout(100)

# Each pattern is slow over the path beside it: libgit2 1.9.7 takes more than 8 s.
SLOW = {
    "in a name": ("*a" * 25 + "*b", "a" * 200 + "c"),
    "not at the end": ("/" + "*a" * 12 + "/" + "*a" * 12 + "b", "/".join(["a" * 100] * 20)),
    "with letters of a class": ("*a[ab]" * 12 + "*c", "a" * 200 + "d"),
    "folders": ("**/a/" * 12 + "b", "/".join(["a"] * 100) + "/c/d"),
    "folders between": ("a/**/" * 12 + "b", "/".join(["a"] * 100)),
    "folders and names": (("*a" * 4 + "/**/") * 6 + "b", "/".join(["a" * 100] * 20)),
    "negated": ("x*\n!" + "*a" * 25 + "*b", "a" * 200 + "c"),
    "with a carriage return": ("*a" * 12 + "\r" + "*a" * 12 + "*b", "a\r" * 60 + "a" * 100 + "c"),
}
ORDINARY = """\
# *** generated *** by *** a *** tool *** with *** stars ***
*.py[cod]
*.egg-info/
**/node_modules/**
**/build/**/*.o
docs/**/generated/**/*.md
/services/*/helm/charts/*.tgz
logs/*-*-*.log
*.tar.*.part*
!keep*.*.yaml
**/.terraform/*
report-????-??-??*.csv
***
"""


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


def committed(root: Path, files: dict[str, str]) -> Path:
    """A clone with these files; attributes only in its index, because an older git takes as long over them."""
    git(root, "init", "-q")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name != ".gitattributes":
            (root / name).write_text(text)
    git(root, "add", "-A", "--force")
    git(root, "commit", "-qm", "x")
    if attributes := files.get(".gitattributes"):
        repository = pygit2.Repository(str(root))
        blob = repository.create_blob(attributes.encode())
        mode = pygit2.enums.FileMode.BLOB
        repository.index.add(pygit2.IndexEntry(".gitattributes", blob, mode))
        repository.index.write()
        (root / ".gitattributes").write_text(attributes)
    return root


@pytest.mark.parametrize("name", SLOW)
def test_a_path_over_which_a_pattern_is_slow_is_refused(tmp_path: Path, name: str) -> None:
    pattern, path = SLOW[name]
    root = committed(tmp_path, {".gitignore": f"*.tmp\n{pattern}\n", "x.yaml": "a: b\n"})
    revision = checkouts.Checkout.open(root).revision("HEAD")
    for ask in (revision.ignored, lambda path: trees.WorkingTree(root).ignored(path)):
        with pytest.raises(errors.FileFault, match="slow-pattern") as caught:
            ask(path)
        assert caught.value.place == subjects.Place(".gitignore", 2 + pattern.count("\n"))


@pytest.mark.parametrize("file", [".gitignore", "services/auth/.gitignore", ".gitattributes"])
def test_a_branch_with_such_a_pattern_ends_a_check(tmp_path: Path, file: str) -> None:
    layouts.begin(tmp_path, "one-cluster")
    new_service.new_service(tmp_path, "auth")
    text = "*.tmp text\n" + "*a" * 25 + "*b text\n"
    text = text if file == ".gitattributes" else text.replace(" text", "")
    path = "services/auth/" + "a" * 200 + "c"
    committed(tmp_path, {file: text, path: "x"})
    (tmp_path / path).write_text("changed")
    (tmp_path / path).with_name("a" * 199 + "c").write_text("untracked")
    code, _, err = preforking.run(
        ["--lang", "en", "check", "--no-cache"], directory=tmp_path, environment=os.environ
    )
    assert code == 2, err[-2000:]
    assert f"{file}:2" in err


def test_attributes_that_only_the_index_has_are_looked_at(tmp_path: Path) -> None:
    root = committed(tmp_path, {".gitattributes": "*a" * 25 + "*b text\n", "a" * 200 + "c": "x"})
    (root / ".gitattributes").unlink()
    with pytest.raises(errors.FileFault, match="slow-pattern"):
        trees.WorkingTree(root)


def test_attributes_of_the_index_are_looked_at_although_the_file_has_others(tmp_path: Path) -> None:
    root = committed(tmp_path, {".gitattributes": "*a" * 25 + "*b text\n", "a" * 200 + "c": "x"})
    (root / ".gitattributes").write_text("*.yaml text\n")
    with pytest.raises(errors.FileFault, match="slow-pattern"):
        trees.WorkingTree(root)


def test_attributes_of_the_index_that_are_cut_off_are_refused_although_there_is_the_file(
    tmp_path: Path,
) -> None:
    root = committed(tmp_path, {".gitattributes": "*.yaml text\n", "a.yaml": "a: b\n"})
    command = ["git", "-C", str(root), "rev-parse", ":.gitattributes"]
    blob = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    path = root / ".git/objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(errors.WrongUse, match="corrupt"):
        trees.WorkingTree(root)


def test_many_questions_have_an_end_in_all(tmp_path: Path) -> None:
    root = committed(tmp_path, {".gitignore": "*a*a*a*b\n", "x.yaml": "a: b\n"})
    tree = trees.WorkingTree(root)

    def ask() -> None:
        for number in range(100_000):
            tree.ignored(f"{number}{'a' * 200}")

    with pytest.raises(errors.FileFault, match="slow-pattern"):
        ask()


def test_too_large_a_file_of_patterns_is_refused(tmp_path: Path) -> None:
    root = committed(tmp_path, {".gitignore": "a\n" * 600_000, "x.yaml": "a: b\n"})
    with pytest.raises(errors.FileFault, match="too-large"):
        trees.WorkingTree(root)


def test_ordinary_patterns_are_left_to_git(tmp_path: Path) -> None:
    root = committed(tmp_path, {
        ".gitignore": ORDINARY, ".gitattributes": "*.min.*.js -diff\n", "x/y.yaml": "a: b\n",
        "services/auth/migrations/20240102030405_create_the_accounts_of_customers.sql": "x",
    })  # fmt: skip
    tree = trees.WorkingTree(root)
    assert "x/y.yaml" in tree.files()
    for number in range(2000):
        assert tree.ignored(f"services/auth/{number}/node_modules/some-module/index.js")
        assert tree.ignored(f"logs/2024-01-{number}.log")
