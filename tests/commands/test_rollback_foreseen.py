"""``hanbae rollback --dry-run --head``: whether a merge request could be gone back from, without a cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main

M = "services/auth/migrations"
FILES = {
    "00001_a.sql": "-- +goose Up\nCREATE TABLE a (n int);\n-- +goose Down\nDROP TABLE a;\n",
    "00002_b.sql": "-- +goose Up\nALTER TABLE a ADD COLUMN b int;\n-- +goose Down\nALTER TABLE a DROP COLUMN b;\n",
    "00003_c.sql": "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY a_n ON a (n);\n"
    "-- +goose Down\nDROP INDEX CONCURRENTLY a_n;\n",
    "00004_d.sql": "-- +goose Up\nALTER TABLE a DROP COLUMN n;\n",
}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit for each migration, each with a tag of its number."""
    root = tmp_path_factory.mktemp("foreseen")
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth", image="registry.example.com/shop/auth")
    git = ("git", "-c", "user.name=shop", "-c", "user.email=shop@example.com", "-C", str(root))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "scaffold"], ["tag", "v0"]):
        subprocess.run([*git, *words], check=True)
    path = root / "services/auth/helm/values-staging.yaml"
    with values.editing(path, path.name) as document:
        document.update({("image", "tag"): "1.0.0"})
    for old in (root / M).glob("*.sql"):
        old.unlink()
    for number, (name, text) in enumerate(FILES.items(), 1):
        (root / M / name).write_text(text)
        for words in (["add", "-A"], ["commit", "-qm", name], ["tag", f"v{number}"]):
            subprocess.run([*git, *words], check=True)
    return root


@pytest.fixture
def run(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    monkeypatch.chdir(shop)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(*words: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "rollback", "auth", "--env", "staging", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_what_can_be_gone_back_from_says_what_is_taken_back_and_what_is_lost(run: Run) -> None:
    code, out, err = run("--dry-run", "--head", "v3", "--base", "v1", "--output", "json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["is_foresight"], document["boundaries"]) == (True, [])
    (database,) = document["databases"]
    assert database["version"] == 1
    taken = [(entry["version"], entry["transaction"]) for entry in database["takes_back"]]
    assert taken == [(3, False), (2, True)]
    assert [loss["line"] for loss in database["losses"]] == [4]
    assert "could go back" in err


def test_a_boundary_is_named_and_the_exit_code_says_so(run: Run) -> None:
    code, out, err = run("--dry-run", "--head", "v4", "--base", "v3")
    assert code == 1
    assert f"{M}/00004_d.sql" in " ".join((out + err).split())
    code, out, _ = run("--dry-run", "--head", "v4", "--base", "v3", "--output", "markdown")
    assert code == 1
    assert out.count("00004") == 1
    assert "could go back" not in out


def test_there_is_no_way_back_to_a_commit_that_names_no_image(run: Run) -> None:
    code, out, err = run("--dry-run", "--head", "v2", "--base", "v0")
    assert (code, out) == (5, "")
    assert "hanbae image set auth" in " ".join(err.split())


def test_nothing_is_in_the_way_where_no_migration_comes(run: Run) -> None:
    code, out, _ = run("--dry-run", "--head", "v4", "--base", "v4", "--output", "markdown")
    assert code == 0
    assert "could go back" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--head", "v3"], "--dry-run"),
        (["--dry-run", "--head", "v3", "--revision", "v1"], "without --revision"),
        (["--dry-run", "--base", "v1"], "--head"),
        (["--output", "markdown"], "--dry-run"),
    ],
)
def test_words_that_do_not_go_together_are_refused(run: Run, words: list[str], text: str) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert text in err
