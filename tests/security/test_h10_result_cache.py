"""A cache that somebody else could have written makes no dirty branch clean."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hanbae.cli import main
from hanbae.repository import keeping

SHOP = Path(__file__).parents[2] / "examples" / "shop"
BROKEN = "services/auth/helm/templates/migration-job.yaml"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, with nothing in it yet."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def dirty(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop with a hook of no phase, which is an error."""
    folder = home / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("values.yaml", "app"))
    path = folder / BROKEN
    path.write_text(path.read_text().replace("hook: Sync\n", "hook: Snyc\n"))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    monkeypatch.chdir(folder)
    return folder


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Checks auth: the exit code and what is printed."""

    def run(*words: str) -> tuple[int, str]:
        code = main.run(["--lang", "en", "check", "auth", *words])
        return code, capsys.readouterr().out

    return run


def entries(home: Path) -> list[Path]:
    return [path for path in (home / "cache/hanbae/results").glob("??/*") if path.is_file()]


def emptied(content: bytes) -> bytes:
    """A kept result of a service, whose findings are taken out."""
    entry = msgspec.msgpack.decode(content)
    entry[2] = {}
    return msgspec.msgpack.encode(entry)


def test_a_result_that_somebody_else_wrote_is_not_used(
    dirty: Path, home: Path, check: Check
) -> None:
    assert check()[0] == 1
    forged = 0
    for path in entries(home):
        with contextlib.suppress(msgspec.DecodeError):  # an overlay's output is not what is forged
            content = emptied(path.read_bytes()[32:])
            path.write_bytes(hashlib.sha256(content).digest() + content)
            forged += 1
    assert forged == 1
    code, output = check()
    assert code == 1
    assert "ARG001" in output


def test_a_result_of_another_name_is_not_used(home: Path) -> None:
    kept = keeping.opened()
    assert kept is not None
    first, second = keeping.key("dirty"), keeping.key("clean")
    kept.put(second, b"clean")
    folder = home / "cache/hanbae/results" / first[:2]
    folder.mkdir(exist_ok=True)
    shutil.copy(home / "cache/hanbae/results" / second[:2] / second, folder / first)
    assert kept.get(second) == b"clean"
    assert kept.get(first) is None


def test_a_cache_that_another_machine_has_saved_is_not_used(home: Path) -> None:
    """What CI restores is the cache folder; the secret is elsewhere, so a fresh machine has another one."""
    kept = keeping.opened()
    assert kept is not None
    name = keeping.key("x")
    kept.put(name, b"x")
    shutil.rmtree(home / "state")
    restored = keeping.opened()
    assert restored is not None
    assert restored.get(name) is None


def test_the_secret_is_the_users_alone_and_outside_the_cache(home: Path) -> None:
    assert keeping.opened() is not None
    path = home / "state/hanbae/results.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [path for path in (home / "cache").rglob("*") if path.name.endswith(".key")]


@pytest.mark.parametrize("weakness", ["readable", "link", "short", "empty folder of others"])
def test_no_cache_is_used_where_others_could_know_the_secret(home: Path, weakness: str) -> None:
    path = home / "state/hanbae/results.key"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(32))
    path.chmod(0o600)
    if weakness == "readable":
        path.chmod(0o640)
    elif weakness == "link":
        path.rename(home / "elsewhere")
        path.symlink_to(home / "elsewhere")
    elif weakness == "short":
        path.write_bytes(b"short")
    else:
        path.unlink()
        path.parent.chmod(0o777)
    assert keeping.opened() is None


def test_runs_that_start_at_once_agree_on_the_secret(home: Path) -> None:
    script = (
        "from hanbae.repository import keeping\nkept = keeping.opened(); print(kept._secret.hex())"
    )
    command = [sys.executable, "-c", script]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
    assert len({run.communicate()[0] for run in runs}) == 1
    assert [path.name for path in (home / "state/hanbae").iterdir()] == ["results.key"]


@pytest.mark.parametrize(("variable", "words", "kept"), [
    ("", (), True), ("false", (), True), ("true", (), False), ("1", (), False),
    ("true", ("--cache",), True), ("", ("--no-cache",), False),
])  # fmt: skip
def test_in_ci_nothing_is_kept_unless_it_is_asked_for(
    dirty: Path,
    home: Path,
    check: Check,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    words: tuple[str, ...],
    *,
    kept: bool,
) -> None:
    del dirty
    monkeypatch.setenv("CI", variable)
    assert check(*words)[0] == 1
    assert bool(entries(home)) is kept


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_with_a_change_that_git_does_not_look_at_the_cache_changes_nothing(
    dirty: Path, home: Path, check: Check, flag: str
) -> None:
    """What git would commit counts: the content of the index, cached or not."""
    git(dirty, "update-index", flag, BROKEN)
    path = dirty / BROKEN
    path.write_text(path.read_text().replace("hook: Snyc\n", "hook: Sync\n"))
    outputs = [check("--no-cache"), check(), check()]
    assert entries(home)
    assert outputs[0][0] == 1
    assert "ARG001" in outputs[0][1]
    assert outputs[1:] == outputs[:1] * 2
    git(dirty, "update-index", flag.replace("--", "--no-"), BROKEN)
    assert [check("--no-cache"), check(), check()] == [check()] * 3
    assert "ARG001" not in check()[1]


def test_a_file_that_a_sparse_checkout_leaves_out_is_checked(dirty: Path, check: Check) -> None:
    git(dirty, "update-index", "--skip-worktree", BROKEN)
    (dirty / BROKEN).unlink()
    code, output = check("--no-cache")
    assert code == 1
    assert "ARG001" in output
