"""Secrets in former commits, in real clones made with git itself."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support import trees

from hanbae import errors
from hanbae.checking import history_scan
from hanbae.rules import casebook
from hanbae.rules.layout import secrets
from hanbae.sandbox import demo_repository

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments: {local: {platform: compose}}
"""
PASSWORD = "9f-Tulpe-kiesel"
VALUES = "services/auth/helm/values-dev.yaml"


class Clone:
    """A clone to commit to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit({"hanbae.yaml": POLICY})

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        ended = subprocess.run(
            ["git", *who, *words], cwd=self.root, capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        for path, text in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                target.unlink()
            else:
                target.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def shown(result: history_scan.Result) -> list[tuple[str, str, str]]:
    return [
        (str(finding.place), finding.text.id, finding.text.facts["commit"])
        for finding in result.findings
    ]


def test_secret_that_was_removed_is_told_with_the_commit_that_brought_it(clone: Clone) -> None:
    bad = clone.commit({VALUES: f"a: 1\nDB_PASSWORD: {PASSWORD}\n"})
    clone.commit({VALUES: f"a: 2\nb: 1\nDB_PASSWORD: {PASSWORD}\n"})
    clone.commit({VALUES: "a: 3\nDB_PASSWORD: changeme\n"})
    result = history_scan.check_history(clone.root)
    assert shown(result) == [(f"{VALUES}:2:1", "rule.lay014-found-named", bad[:12])]
    assert (result.commits, result.shallow) == (4, False)
    assert PASSWORD not in str(result)


def test_secret_that_is_still_there_is_left_to_the_check_of_the_files(clone: Clone) -> None:
    clone.commit({VALUES: f"DB_PASSWORD: {PASSWORD}\n"})
    assert history_scan.check_history(clone.root).findings == ()


def test_secret_of_a_branch_that_was_merged_is_told_once(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "-b", "topic")
    bad = clone.commit({"deploy/.env": f"DB_PASSWORD={PASSWORD}\n"})
    clone.commit({"deploy/.env": None})
    clone.git("checkout", "--quiet", "main")
    clone.commit({"README.md": "x\n"})
    clone.git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
    result = history_scan.check_history(clone.root, revision="main")
    assert shown(result) == [("deploy/.env:1:1", "rule.lay014-found-named", bad[:12])]


def test_only_what_came_after_a_commit_is_looked_at(clone: Clone) -> None:
    old = clone.commit({"old.env": f"DB_PASSWORD={PASSWORD}\n"})
    new = clone.commit({"old.env": None, "keys/tls.p12": "binary"})
    clone.commit({"keys/tls.p12": None})
    result = history_scan.check_history(clone.root, since=old)
    assert shown(result) == [("keys/tls.p12", "rule.lay014-found-keystore", new[:12])]
    assert result.commits == 2


def test_clone_that_was_cut_off_says_so(clone: Clone, tmp_path: Path) -> None:
    clone.commit({VALUES: f"DB_PASSWORD: {PASSWORD}\n"})
    clone.commit({VALUES: "a: 1\n"})
    cut = tmp_path / "cut"
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.root}", str(cut))
    assert history_scan.check_history(cut) == history_scan.Result((), 1, shallow=True)


def test_unknown_revision_is_wrong_use(clone: Clone) -> None:
    with pytest.raises(errors.WrongUse, match=r"repository\.no-revision"):
        history_scan.check_history(clone.root, revision="nothing")


def former(clone: Clone, changes: Sequence[casebook.Change]) -> list[str]:
    """Places of what is found in the shop after changes were committed, and taken back."""
    shop = trees.MemoryTree.of(demo_repository.example())
    for tree in (shop, shop.changed(changes), shop):
        clone.commit({path: data.decode() for path, data in tree.contents.items()})
    findings = history_scan.check_history(clone.root).findings
    assert {finding.code for finding in findings} <= {secrets.FORMER}
    return [f"{finding.place.file}:{finding.place.line}" for finding in findings]


def test_rule_finds_its_failing_example_and_leaves_the_passing_one(
    clone: Clone, tmp_path: Path
) -> None:
    case = casebook.case(secrets.FORMER)
    assert former(clone, case.fails) == list(case.at)
    assert former(Clone(tmp_path / "other"), case.passes) == []


def test_example_is_found_by_the_rule_alone(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "in_file", lambda *_: [])
    assert former(clone, casebook.case(secrets.FORMER).fails) == []
