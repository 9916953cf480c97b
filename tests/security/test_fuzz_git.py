"""A clone whose own files are damaged or hostile: reading it gives its files or words."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing

from hanbae.repository import checkouts, histories, trees, undeployed


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *words]
    # The same ids in each run, by which an object is chosen.
    dates = {f"GIT_{role}_DATE": "2026-11-28T09:30:00Z" for role in ("AUTHOR", "COMMITTER")}
    subprocess.run(command, env=os.environ | dates, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a remote, an ignored file, attributes, a link and a changed file."""
    folder = tmp_path_factory.mktemp("clone")
    git(folder, "init", "-q", "-b", "main")
    for name, text in {
        "services/auth/a.yaml": "a: b\n",
        ".gitignore": "ignored\n*.swp\n",
        ".gitattributes": "*.yaml text\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "link").symlink_to("services")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a")
    git(folder, "remote", "add", "origin", "https://git.example.com/x.git")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(folder, "tag", "v1")
    git(folder, "pack-refs", "--all")
    (folder / "services/auth/a.yaml").write_text("a: c\n")
    (folder / "untracked.yaml").write_text("x: y\n")
    return folder


READS: dict[str, Callable[[Path], Any]] = {
    "files": lambda folder: [
        tree.read(path) for tree in [trees.WorkingTree(folder)] for path in tree.files()
    ],
    "links": lambda folder: trees.WorkingTree(folder).links(),
    "ignored": lambda folder: trees.WorkingTree(folder).ignored("a/ignored"),
    "linked": lambda folder: trees.WorkingTree(folder).linked("link"),
    "current": lambda folder: checkouts.Checkout.open(folder).current(),
    "head": lambda folder: checkouts.Checkout.open(folder).head("origin", "main"),
    "pushed": lambda folder: checkouts.Checkout.open(folder).pushed("origin"),
    "tracks": lambda folder: checkouts.Checkout.open(folder).tracks(folder / "link"),
    "shallow": lambda folder: checkouts.Checkout.open(folder).is_shallow,
    "revision": lambda folder: _revision(folder),  # noqa: PLW0108  it is defined below
    "history": lambda folder: _history(folder),  # noqa: PLW0108  it is defined below
    "undeployed": lambda folder: undeployed.below(
        folder, ["services"], deployed="HEAD", remote="origin"
    ),
    "fetch": lambda folder: checkouts.Checkout.open(folder)._environment(),
}


def _revision(folder: Path) -> list[Any]:
    revision = checkouts.Checkout.open(folder).revision("main")
    read = [revision.read(path) for path in revision.files()]
    return [*read, revision.folder("services"), revision.links(), revision.stamp("services"),
            revision.linked("link"), revision.ignored("a.swp")]  # fmt: skip


def _history(folder: Path) -> list[Any]:
    history = histories.History(folder, "main")
    return [(added.path, history.now(added.path)) for added in history.added(lambda _: True)]


CONFIG = b"""[core]
\trepositoryformatversion = 0
\tbare = false
\tworktree = ../.
[include]
\tpath = config
[includeIf "gitdir:/"]
\tpath = /etc/passwd
[extensions]
\tpartialClone = origin
\tobjectFormat = sha1
[remote "origin"]
\turl = https://u:p@git.example.com/x.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
"""
DAMAGED = {
    ".git/config": CONFIG,
    ".git/HEAD": b"ref: refs/heads/main\n",
    ".git/index": b"DIRC\0\0\0\2\0\0\0\1",
    ".git/packed-refs": b"# pack-refs with: peeled fully-peeled sorted \n"
    + b"a" * 40
    + b" refs/heads/main\n",
    ".git/shallow": b"a" * 40 + b"\n",
    ".git/info/exclude": b"*.yaml\n!a\n",
    ".git/info/attributes": b"*.yaml filter=x diff=y working-tree-encoding=UTF-16\n",
    ".git/objects/info/alternates": b"/etc\n../../x\n",
    ".git/refs/heads/main": b"a" * 40 + b"\n",
    ".git/refs/remotes/origin/main": b"ref: refs/remotes/origin/main\n",
    ".git/commondir": b"..\n",
    ".gitignore": b"*.md\n!a?c\n/b/**/[a-z]*\n\\#x\n",
    ".gitattributes": b"*.yaml text eol=crlf filter=x ident\n[attr]a b\n",
    ".gitmodules": b'[submodule "x"]\n\tpath = ../x\n\turl = ext::sh\n',
    "services/auth/a.yaml": b"a",
}


@fuzzing.bounded(60)
@given(
    file=st.sampled_from(sorted(DAMAGED)),
    question=st.sampled_from(sorted(READS)),
    data=st.data(),
)
def test_a_clone_with_a_damaged_file(
    clone: Path, tmp_path: Path, file: str, question: str, data: st.DataObject
) -> None:
    folder = tmp_path / "clone"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clone, folder, symlinks=True)
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    examples = [DAMAGED[file], *([path.read_bytes()] if path.exists() else [])]
    path.write_bytes(data.draw(fuzzing.damaged(*examples)))
    with fuzzing.expected_errors():
        READS[question](folder)


@pytest.mark.parametrize("question", sorted(READS))
def test_a_clone_whose_common_folder_has_too_long_a_name(
    clone: Path, tmp_path: Path, question: str
) -> None:
    folder = tmp_path / "clone"
    shutil.copytree(clone, folder, symlinks=True)
    (folder / ".git/commondir").write_bytes(b"[" * 5000)
    with fuzzing.expected_errors():
        READS[question](folder)


@fuzzing.bounded(30)
@given(
    question=st.sampled_from(sorted(READS)),
    number=st.integers(0, 30),
    text=st.sampled_from([b"", b"x", b"\0" * 20, b"no object", 2, 10, 30]),
)
def test_a_clone_that_lacks_an_object(
    clone: Path, tmp_path: Path, question: str, number: int, text: bytes | int
) -> None:
    folder = tmp_path / "clone"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clone, folder, symlinks=True)
    objects = sorted(path for path in (folder / ".git/objects").rglob("*") if path.is_file())
    chosen = objects[number % len(objects)]
    chosen.chmod(0o644)
    if text:
        chosen.write_bytes(text if isinstance(text, bytes) else chosen.read_bytes()[:text])
    else:
        chosen.unlink()
    with fuzzing.expected_errors():
        READS[question](folder)


@pytest.mark.parametrize(
    "name",
    [
        "--output=x",
        "a\nb",
        "a..b",
        "refs/heads/x y",
        "@{-1}",
        ":/[",
        "\x1b[2J",
        "a" * 5000,
        "-",
        "",
    ],
)
def test_names_of_branches(clone: Path, name: str) -> None:
    checkout = checkouts.Checkout.open(clone)
    for ask in (
        lambda: checkout.head("origin", name),
        lambda: checkout.head(name, "main"),
        lambda: checkout.revision(name),
        lambda: checkout.fetch(name, ["main"]),
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            ask()
        assert type(caught.value).__name__ == "WrongUse"
