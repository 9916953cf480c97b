"""Git goes back for one service alone, on a branch of its own, and nothing of the user's is touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pygit2
import pytest

from hanbae import errors
from hanbae.repository import checkouts, reverting

LEVELS = (
    pygit2.enums.ConfigLevel.GLOBAL,
    pygit2.enums.ConfigLevel.XDG,
    pygit2.enums.ConfigLevel.SYSTEM,
)
OPTIONS = ("-c", "user.name=t", "-c", "user.email=t@example.com")


def git(root: Path, *words: str) -> str:
    ended = subprocess.run(
        ["git", *OPTIONS, *words], cwd=root, check=True, capture_output=True, text=True
    )
    return ended.stdout.strip()


def commit(root: Path, **files: str | None) -> str:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "-qm", "x", "--allow-empty")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "develop")
    git(tmp_path, "config", "user.name", "Kim")
    git(tmp_path, "config", "user.email", "kim@example.com")
    return tmp_path


def write(root: Path, head: str, target: str, branch: str = "rollback/auth") -> reverting.Reverted:
    return reverting.write(
        checkouts.Checkout.open(root),
        head=head,
        target=target,
        paths=["auth", "values/auth"],
        branch=branch,
        message="Revert auth",
    )


def test_only_the_service_goes_back(clone: Path) -> None:
    target = commit(
        clone, auth__chart="1", auth__gone="here", values__auth="1", values__authors="1", web="1"
    )
    head = commit(
        clone, auth__chart="2", auth__gone=None, auth__new="2", values__auth="2",
        values__authors="2", web="2",
    )  # fmt: skip
    (clone / "web").write_text("being edited")
    reverted = write(clone, head, target)
    assert reverted.files == ("auth/chart", "auth/gone", "auth/new", "values/auth")
    assert git(clone, "rev-parse", "rollback/auth", "rollback/auth~1").split() == [
        reverted.commit,
        head,
    ]
    assert git(clone, "diff", "--name-only", target, "rollback/auth").split() == [
        "values/authors",
        "web",
    ]
    assert git(clone, "log", "-1", "--format=%an %s", "rollback/auth") == "Kim Revert auth"
    assert git(clone, "branch", "--show-current") == "develop"
    assert git(clone, "status", "--porcelain").split() == ["M", "web"]
    assert (clone / "web").read_text() == "being edited"


def test_run_again_it_is_the_same_commit(clone: Path) -> None:
    target, head = commit(clone, auth__chart="1"), commit(clone, auth__chart="2")
    reverted = write(clone, head, target)
    assert write(clone, head, target) == reverted
    other = commit(clone, auth__chart="3")
    with pytest.raises(errors.WrongUse) as refused:
        write(clone, other, target)
    assert refused.value.text.id == "rollback.branch-exists"
    assert git(clone, "rev-parse", "rollback/auth") == reverted.commit


def test_nothing_is_written_where_git_is_back_already(clone: Path) -> None:
    target = commit(clone, auth__chart="1")
    head = commit(clone, web="2")
    assert write(clone, head, target) == reverting.Reverted()
    assert "rollback" not in git(clone, "branch", "--all")


def test_without_an_author_nothing_is_written(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, head = commit(clone, auth__chart="1"), commit(clone, auth__chart="2")
    for name in ("user.name", "user.email"):
        git(clone, "config", "--unset", name)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    paths = pygit2.settings.search_path
    before = {level: paths[level] for level in LEVELS}
    for level in LEVELS:
        paths[level] = str(clone / "nowhere")
    try:
        with pytest.raises(errors.WrongUse) as refused:
            write(clone, head, target)
    finally:
        for level, path in before.items():
            paths[level] = path
    assert refused.value.text.id == "rollback.no-author"
    assert "rollback" not in git(clone, "branch", "--all")
