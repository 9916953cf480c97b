"""Secrets in former commits, in real clones made with git itself."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support import trees

from hanbae import errors
from hanbae.checking import history_scan, searches
from hanbae.repository import histories
from hanbae.rules import casebook
from hanbae.rules.layout import secrets
from hanbae.sandbox import demo_repository

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments: {local: {platform: compose}}
"""
PASSWORD = "9f-Tulpe-kiesel"
# Put together here, so that no scanner takes this file for a leak.
BEGIN, END = (f"-----{word} PRIVATE" + " KEY-----\n" for word in ("BEGIN", "END"))
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
    assert result.searched == searches.Searched(4, shallow=False)
    assert PASSWORD not in str(result)


def test_secret_that_is_still_there_is_left_to_the_check_of_the_files(clone: Clone) -> None:
    clone.commit({VALUES: f"DB_PASSWORD: {PASSWORD}\n"})
    assert history_scan.check_history(clone.root).findings == ()


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
SEALED = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\nspec: {}\n"
# Variant, and a file before and after its secret was taken out or replaced by another.
REPLACED = {
    "a manifest that was sealed": ("manifest", f"{SECRET}data:\n  a: aHVudGVyMng=\n", SEALED),
    "values of a manifest": (
        "manifest",
        f"{SECRET}stringData:\n  a: {PASSWORD}\n",
        f"{SECRET}stringData:\n  a: <set by hand>\n",
    ),
    "a key": (
        "private-key",
        f"{BEGIN}MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n{END}",
        f"{BEGIN}MIIEpAIBAAKCAQEA7bq3kz9f8dYv0Qx\n{END}",
    ),
    "a value below its key": (
        "named",
        f"- name: DB_PASSWORD\n  value: {PASSWORD}\n",
        "- name: DB_PASSWORD\n  valueFrom: {secretKeyRef: {name: a, key: b}}\n",
    ),
    "a block": ("named", f"password: |\n  {PASSWORD}\n", "password: |\n  changeme\n"),
    "the beginning of another": ("named", f"PASSWORD: {PASSWORD}", f"PASSWORD: {PASSWORD}2"),
    "a line after other ends of lines": (
        "named",
        f"a: 1\f2\x85\u20283\nb: 4\rc: 5\nDB_PASSWORD: {PASSWORD}\n",
        "a: 1\f2\x85\u20283\nb: 4\rc: 5\nDB_PASSWORD: changeme\n",
    ),
}


@pytest.mark.parametrize("name", REPLACED)
def test_secret_whose_first_line_looks_like_one_that_is_there_is_told(
    clone: Clone, name: str
) -> None:
    variant, before, after = REPLACED[name]
    bad = clone.commit({"k8s/a.yaml": before})
    clone.commit({"k8s/a.yaml": after})
    (finding,) = history_scan.check_history(clone.root).findings
    assert finding.text.id == f"rule.lay014-found-{variant}"
    assert finding.text.facts["commit"] == bad[:12]


def test_keystore_that_was_replaced_is_told(clone: Clone) -> None:
    bad = clone.commit({"tls.p12": "one"})
    clone.commit({"tls.p12": "another"})
    assert shown(history_scan.check_history(clone.root)) == [
        ("tls.p12", "rule.lay014-found-keystore", bad[:12])
    ]


def test_secret_beside_one_that_was_taken_out_is_left_to_the_check_of_the_files(
    clone: Clone,
) -> None:
    values = f"data:\n  a: aHVudGVyMng=\n  b: {base64.b64encode(PASSWORD.encode()).decode()}\n"
    clone.commit({"k8s/a.yaml": f"{SECRET}data:\n  a: aHVudGVyMng=\n"})
    both = clone.commit({"k8s/a.yaml": f"{SECRET}{values}type: Opaque\n"})
    clone.commit({"k8s/a.yaml": f"{SECRET}type: Opaque\ndata:\n  a: aHVudGVyMng=\n"})
    assert shown(history_scan.check_history(clone.root)) == [
        ("k8s/a.yaml:4:1", "rule.lay014-found-manifest", both[:12])
    ]


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
    assert result.searched.commits == 2


def test_clone_that_was_cut_off_says_so(clone: Clone, tmp_path: Path) -> None:
    clone.commit({VALUES: f"DB_PASSWORD: {PASSWORD}\n"})
    clone.commit({VALUES: "a: 1\n"})
    cut = tmp_path / "cut"
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.root}", str(cut))
    searched = searches.Searched(1, shallow=True)
    assert history_scan.check_history(cut) == history_scan.Result((), searched)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949", "utf-16"])
def test_a_secret_is_found_whatever_encoding_an_editor_has_saved(
    clone: Clone, encoding: str
) -> None:
    (clone.root / "app.env").write_bytes(f"# 암호\nDB_PASSWORD={PASSWORD}\n".encode(encoding))
    brought = clone.commit({})[:12]
    clone.commit({"app.env": None})
    result = history_scan.check_history(clone.root)
    assert shown(result) == [("app.env:2:1", "rule.lay014-found-named", brought)]
    assert left_out(clone) == []


def left_out(clone: Clone) -> list[tuple[str, str, str]]:
    return [
        (content.file, content.commit, content.reason)
        for content in history_scan.check_history(clone.root).searched.unsearched
    ]


def test_what_is_too_large_or_no_text_is_told(clone: Clone) -> None:
    secret = f"DB_PASSWORD: {PASSWORD}\n"
    large = clone.commit({VALUES: secret + "#" * histories.LARGEST_FILE})[:12]
    assert left_out(clone) == [(VALUES, large, "large")]
    (clone.root / "deploy").mkdir()
    (clone.root / "deploy/.env").write_bytes(b"\xff\0DB_PASSWORD=9f-Tulpe-kiesel")
    odd = clone.commit({VALUES: secret + "#" * (histories.LARGEST_FILE + 1)})[:12]
    clone.commit({VALUES: "a: 1\n", "deploy/.env": None, "a.png": "\0"})
    assert left_out(clone) == [(VALUES, large, "large"), ("deploy/.env", odd, "no-text")]


def test_what_is_left_out_is_counted_where_it_is_too_much_to_be_listed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_scan, "_MOST_UNSEARCHED", 2)
    for name in ("a.env", "b.env", "c.env", "d.env"):
        (clone.root / name).write_bytes(b"\xff\0" + name.encode())
        clone.commit({})
    searched = history_scan.check_history(clone.root).searched
    assert [content.file for content in searched.unsearched] == ["a.env", "b.env"]
    assert searched.others == 2


def test_more_secrets_than_are_kept_end_the_search_and_are_told(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_scan, "_MOST_LINES", 2)
    for number in range(3):
        last = clone.commit({VALUES: f"DB_PASSWORD: {PASSWORD}-{number}\n"})
    clone.commit({VALUES: "a: 1\n"})
    result = history_scan.check_history(clone.root)
    assert len(result.findings) == 2
    assert result.searched.ended == clone.git("rev-parse", f"{last}~1")[:12]
    assert result.searched.commits == 3, "the next one was not searched"
    after = history_scan.check_history(clone.root, since=result.searched.ended)
    assert (len(after.findings), after.searched.ended) == (1, "")


@pytest.mark.parametrize(("most", "ended"), [(3, 0), (4, 1), (5, 1)])
def test_who_goes_on_after_the_end_misses_no_file_of_the_commit_in_which_it_came(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, most: int, ended: int
) -> None:
    names = ("b.env", "c.env", "d.env")
    commits = [
        clone.commit({"a.env": f"DB_PASSWORD={PASSWORD}-0\n"}),
        clone.commit({name: f"DB_PASSWORD={PASSWORD}-{name}\n" for name in names}),
        clone.commit({name: f"DB_PASSWORD={PASSWORD}-2-{name}\n" for name in names}),
    ]
    clone.commit(dict.fromkeys(["a.env", *names]))
    monkeypatch.setattr(history_scan, "_MOST_LINES", most)
    result = history_scan.check_history(clone.root)
    assert result.searched.ended == commits[ended][:12]
    values = {(finding.place, finding.text.facts["commit"]) for finding in result.findings}
    while result.searched.ended:
        result = history_scan.check_history(clone.root, since=result.searched.ended)
        values |= {(finding.place, finding.text.facts["commit"]) for finding in result.findings}
    assert len(values) == 7


def test_a_commit_that_alone_is_too_much_does_not_end_every_search(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("b.env", "c.env", "d.env")
    large = clone.commit({name: f"DB_PASSWORD={PASSWORD}-{name}\n" for name in names})
    clone.commit(dict.fromkeys(names))
    monkeypatch.setattr(history_scan, "_MOST_LINES", 2)
    before = history_scan.check_history(clone.root).searched.ended
    assert before == clone.git("rev-parse", f"{large}~1")[:12]
    assert history_scan.check_history(clone.root, since=before).searched.ended == large[:12]


def test_a_line_of_any_length_is_kept_by_its_digest() -> None:
    time = datetime.now(UTC)
    search = history_scan._Search()
    for name, secret in (("a.env", f"DB_PASSWORD={PASSWORD} #"), ("a.p12", "")):
        data = secret.encode() + b"x" * 1_000_000
        search.look(histories.Added("0" * 40, name, data, time, ""))
    assert [len(line) for _, _, lines in search.former for line in lines] == [16, 16]


def test_content_that_was_words_in_one_file_is_a_secret_in_another(clone: Clone) -> None:
    text = f"DB_PASSWORD: {PASSWORD}\n"
    clone.commit({"i18n/de.yaml": text})
    bad = clone.commit({VALUES: text})
    clone.commit({VALUES: "a: 1\n"})
    assert shown(history_scan.check_history(clone.root)) == [
        (f"{VALUES}:1:1", "rule.lay014-found-named", bad[:12])
    ]


def test_sizes_of_trees_are_not_remembered_for_ever(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "_MOST_SIZES", 5)
    for number in range(6):
        clone.commit({"a/b.txt": f"{number}"})
    history = histories.History(clone.root)
    assert not list(history.added(lambda _: None))
    assert len(history._sizes) <= 7


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
