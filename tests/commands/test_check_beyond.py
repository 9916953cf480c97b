"""``hanbae check --history``: plaintext secrets of former commits, accepted and written as any other finding."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae.checking import history_scan
from hanbae.cli import main
from hanbae.sandbox import demo_repository

PREPARED = Path(__file__).parent.parent / "unit" / "rules" / "prepared"
PASSWORD = "Xk29vQpL7mZt4RwB"
LEAKED = "deploy/production.env"

Run = Callable[..., tuple[int, str, str]]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    words = ["git", *identity, "-c", "init.defaultBranch=main", *arguments]
    ended = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
    return ended.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop, whose second commit brought a password and whose third took it away."""
    root = tmp_path / "shop"
    shutil.copytree(demo_repository.example(), root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PREPARED, root, dirs_exist_ok=True)
    (root / ".gitignore").write_text("services/*/helm/values.yaml\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    (root / "deploy").mkdir()
    (root / LEAKED).write_text(f"DB_PASSWORD={PASSWORD}\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "leak")
    (root / LEAKED).unlink()
    git(root, "commit", "--quiet", "--all", "--message", "remove")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        code = main.run(["--lang", lang, "check", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_former_commits_are_searched_when_asked_for(clone: Path, run: Run) -> None:
    code, out, _ = run("auth")
    assert (code, out) == (0, "")
    leak = git(clone, "rev-parse", "HEAD~1")[:12]

    code, out, err = run("auth", "--history")
    assert code == 1
    assert LEAKED in out
    assert "LAY014" in out
    assert leak in out
    assert "Commits searched for plaintext secrets: 3." in err
    assert PASSWORD not in out + err


def test_every_format_has_them(clone: Path, run: Run) -> None:
    for kind in ("json", "sarif", "junit", "github", "markdown"):
        code, out, _ = run("auth", "--history", "--output", kind)
        assert code == 1
        assert "LAY014" in out, kind
        assert LEAKED in out, kind
    _, out, _ = run("auth", "--history", "--output", "json")
    assert json.loads(out)["searched"] == {
        "commits": 3,
        "shallow": False,
        "revision": "HEAD",
        "unsearched": [],
        "others": 0,
        "ended": "",
    }
    assert clone.is_dir()


def test_only_what_came_after_a_commit_is_searched(clone: Path, run: Run) -> None:
    code, _, err = run("auth", "--history", "--since", git(clone, "rev-parse", "HEAD~1"))
    assert code == 0
    assert "Commits searched for plaintext secrets: 1." in err


def test_shallow_clone_is_told(
    clone: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = tmp_path / "cut"
    git(clone, "clone", "--quiet", "--depth=1", f"file://{clone}", str(cut))
    monkeypatch.chdir(cut)
    code, _, err = run("auth", "--history")
    assert code == 0
    assert "shallow" in err
    code, _, err = run("auth", "--history", lang="ko")
    assert "얕은 클론" in err


def test_what_could_not_be_searched_is_told(
    clone: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / "deploy").mkdir(exist_ok=True)
    (clone / LEAKED).write_bytes(b"DB_PASSWORD=\xff\0\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "binary")
    commit = git(clone, "rev-parse", "HEAD")[:12]
    for lang in ("en", "ko"):
        _, _, err = run("auth", "--history", lang=lang)
        assert f"{LEAKED} ({commit})" in err
        assert "HEAD" in err
    leak = git(clone, "rev-parse", "HEAD~2")[:12]
    monkeypatch.setattr(history_scan, "_MOST_LINES", 1)
    for lang in ("en", "ko"):
        _, _, err = run("auth", "--history", lang=lang)
        assert f"--since {leak}" in err


def test_baseline_accepts_them_and_is_not_stale_when_nobody_searches(clone: Path, run: Run) -> None:
    assert run("--history", "--write-baseline")[0] == 0
    entries = json.loads((clone / "hanbae-baseline.json").read_text())["findings"]
    assert [entry["code"] for entry in entries] == ["LAY014"]
    code, out, _ = run("--history", "--fail-on", "notice")
    assert (code, out) == (0, "")
    code, out, _ = run("--fail-on", "notice")
    assert (code, out) == (0, "")


@pytest.mark.parametrize(("option", "needs"), [("--since", "--history"), ("--context", "--live")])
def test_option_without_what_it_belongs_to_is_wrong_use(
    clone: Path, run: Run, option: str, needs: str
) -> None:
    code, _, err = run(option, "HEAD")
    assert code == 2
    assert needs in err
    assert clone.is_dir()
