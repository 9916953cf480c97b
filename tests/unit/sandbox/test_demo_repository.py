"""The demo's repository is made anew each time, and nothing of the user's git reaches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae import errors
from hanbae.sandbox import demo_repository


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "services" / "auth" / "helm").mkdir(parents=True)
    (folder / "hanbae.yaml").write_text("version: 1\n")
    (folder / "services" / "auth" / "helm" / "values-dev.yaml").write_text("a: 1\n")
    (folder / "services" / "auth" / "helm" / "values.yaml").write_text("mine: 1\n")
    return folder


def make(source: Path, tmp_path: Path) -> demo_repository.Repository:
    return demo_repository.create(source, tmp_path / "clone", tmp_path / "git" / "shop.git")


def test_what_is_pushed_is_the_example_without_the_ignored_values(
    source: Path, tmp_path: Path
) -> None:
    repository = make(source, tmp_path)
    listed = demo_repository.git(repository.remote, "ls-tree", "-r", "--name-only", "main")
    assert listed.split() == ["hanbae.yaml", "services/auth/helm/values-dev.yaml"]


def test_making_it_again_replaces_what_an_interrupted_demo_left(
    source: Path, tmp_path: Path
) -> None:
    first = make(source, tmp_path)
    (first.clone / "left.txt").write_text("left")
    first.commit("left")
    first.push("main")
    again = make(source, tmp_path)
    assert not (again.clone / "left.txt").exists()
    assert demo_repository.git(again.remote, "rev-list", "--count", "main") == "1"


def test_commit_without_a_change_keeps_the_head(source: Path, tmp_path: Path) -> None:
    repository = make(source, tmp_path)
    head = repository.commit("nothing")
    assert repository.commit("nothing again") == head
    (repository.clone / "more.txt").write_text("more")
    assert repository.commit("more") != head


def test_settings_of_the_users_git_do_not_matter(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = /bin/false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    repository = make(source, tmp_path)
    commit = demo_repository.git(repository.remote, "cat-file", "commit", "main")
    assert "gpgsig" not in commit
    assert not (tmp_path / "nowhere").exists()


def test_a_failing_git_says_what_git_said(tmp_path: Path) -> None:
    with pytest.raises(errors.Failed) as raised:
        demo_repository.git(tmp_path, "rev-parse", "HEAD")
    assert raised.value.text.id == "demo.git-failed"
    assert "not a git repository" in raised.value.text.facts["output"]


def test_ctrl_c_that_ends_git_is_no_failure_of_gits(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        demo_repository.git(tmp_path, "-c", "alias.stopped=!kill -INT $PPID", "stopped")
