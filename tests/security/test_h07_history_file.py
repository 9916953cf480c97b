"""The file that a history's address leads to: nothing that hanbae did not make is changed, whatever it is."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import layouts, records

from hanbae import errors, subjects, workspaces
from hanbae.history import locations, stores


def script(folder: Path) -> Path:
    path = folder / "victim.sh"
    path.write_text("#!/bin/sh\necho hello\n")
    path.chmod(0o755)
    return path


def empty(folder: Path) -> Path:
    path = folder / "authorized_keys"
    path.touch(0o644)
    return path


def one_byte(folder: Path) -> Path:
    path = folder / "byte"
    path.write_bytes(b"x")
    path.chmod(0o644)
    return path


def foreign(folder: Path) -> Path:
    """Another program's database, in the default journal mode."""
    path = folder / "cookies.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cookies (value)")
    connection.commit()
    connection.close()
    path.chmod(0o644)
    return path


def empty_database(folder: Path) -> Path:
    path = folder / "empty.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    path.chmod(0o644)
    return path


def _branch(folder: Path, statement: str) -> Path:
    """A history that a branch brings: hanbae's own, with something more in it."""
    path = folder / "team.db"
    stores.open_store(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    connection.execute(statement)
    connection.commit()
    connection.close()
    path.chmod(0o644)
    return path


def trigger(folder: Path) -> Path:
    return _branch(
        folder,
        "CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT raise(IGNORE); END",
    )


def view(folder: Path) -> Path:
    return _branch(folder, "CREATE VIEW v AS SELECT * FROM events")


def index(folder: Path) -> Path:
    return _branch(folder, "CREATE INDEX i ON events (json_extract(event, '$.secret'))")


def column(folder: Path) -> Path:
    return _branch(folder, "ALTER TABLE events ADD COLUMN x TEXT AS (upper(event))")


def more(folder: Path) -> Path:
    return _branch(folder, "CREATE TABLE more (x)")


FILES: list[Callable[[Path], Path]] = [
    script, empty, one_byte, foreign, empty_database, trigger, view, index, column, more,
]  # fmt: skip


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Names, contents and modes of everything in a folder."""
    return {
        path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.iterdir()
    }


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_what_is_no_history_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    before = state(tmp_path)
    with pytest.raises(errors.FileFault) as caught:
        stores.open_store(f"sqlite:///{path}")
    assert caught.value.text.id == "history.not-a-history"
    assert state(tmp_path) == before


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_file_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "h.db", tmp_path / "victim"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        if kind == "link":
            stores.open_store(f"sqlite:///{victim}").close()
            victim.chmod(0o644)
        path.symlink_to(victim)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(errors.FileFault) as caught:
        stores.open_store(f"sqlite:///{path}")
    assert caught.value.text.id == "history.not-a-file"
    assert sorted(tmp_path.iterdir()) == before
    if kind == "link":
        assert stat.S_IMODE(victim.stat().st_mode) == 0o644


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_a_companion_that_is_a_link_is_not_written_through(tmp_path: Path, end: str) -> None:
    path, victim = tmp_path / "h.db", tmp_path / "victim"
    stores.open_store(f"sqlite:///{path}").close()
    victim.write_bytes(b"")
    victim.chmod(0o644)
    path.with_name(path.name + end).symlink_to(victim)
    with pytest.raises(errors.FileFault, match="not-a-file"):
        stores.open_store(f"sqlite:///{path}")
    assert victim.read_bytes() == b""
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644


def test_a_history_of_our_own_is_opened_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "이력 %41?mode=memory#x.db"
    with stores.in_a_file(path) as store:
        store.append("a", None, records.opened(), records.BEGUN)
    with stores.in_a_file(path) as store:
        assert len(store.events("a")) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


POLICY = subjects.Place("hanbae.yaml", 3)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////{outside}/new.db",
        "sqlite:////{outside}/.ssh/authorized_keys",
        "sqlite:///~/new.db",
    ],
)
def test_a_policy_creates_no_history_outside_of_its_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    clone, outside = tmp_path / "clone", tmp_path / "outside"
    clone.mkdir()
    outside.mkdir()
    monkeypatch.setenv("HOME", str(outside))
    with pytest.raises(errors.Refused, match="not-made-here") as caught:
        locations.trusted(url.format(outside=str(outside)[1:]), clone, {}, POLICY)
    assert caught.value.place == POLICY
    assert not list(outside.iterdir())


@pytest.mark.parametrize("path", ["../new.db", "link/new.db", ".git/hooks/post-checkout"])
def test_a_policy_leads_its_history_out_of_the_clone_in_no_way(tmp_path: Path, path: str) -> None:
    clone, outside = tmp_path / "clone", tmp_path / "outside"
    (clone / ".git" / "hooks").mkdir(parents=True)
    outside.mkdir()
    (clone / "link").symlink_to(outside)
    with pytest.raises(errors.Refused, match="outside"):
        locations.trusted(f"sqlite:///{path}", clone, {}, POLICY)


def test_a_relative_history_is_in_the_clone_wherever_hanbae_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone with a blank"
    clone.mkdir()
    monkeypatch.chdir(tmp_path)
    url = locations.trusted("sqlite:///history.db", clone, {}, POLICY)
    with stores.open_store(url) as store:
        assert store.place.file == str(clone / "history.db")


def test_the_user_may_name_any_history(tmp_path: Path) -> None:
    own = f"sqlite:///{tmp_path / 'own.db'}"
    assert locations.trusted("sqlite:////etc/x", tmp_path, {"HANBAE_HISTORY": own}, POLICY) == own
    stores.open_store(own).close()
    assert locations.trusted(own, tmp_path / "clone", {}, POLICY) == own


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose policy has its history in the clone."""
    monkeypatch.delenv(locations.VARIABLE, raising=False)
    root = tmp_path / "shop"
    root.mkdir()
    layouts.begin(root, "one-cluster")
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("url: sqlite", "url: sqlite:///team.db"))
    git(root, "init", "-q")
    git(root, "add", "hanbae.yaml")
    git(root, "commit", "-qm", "begin")
    return root


@pytest.mark.parametrize("name", ["team.db", "team.db-wal", "team.db-journal"])
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "staged"])
def test_a_history_that_a_branch_brings_is_not_gone_on_with(
    team: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, committed: bool
) -> None:
    with stores.in_a_file(team / "team.db") as store:
        store.append("forged", None, records.opened(revision="f" * 40), records.BEGUN)
    if name != "team.db":
        (team / "team.db").rename(team / name)
    git(team, "add", "--force", name)
    if committed:
        git(team, "commit", "-qm", "a history")
        git(team, "rm", "-q", "--cached", name)  # HEAD still has it
    before = contents(team)
    with pytest.raises(errors.Refused, match="tracked") as caught, workspaces.opened(team):
        pass
    assert caught.value.text.facts["file"] == name
    assert caught.value.place is not None
    assert contents(team) == before
    monkeypatch.setenv(locations.VARIABLE, f"sqlite:///{team}/own.db")
    with workspaces.opened(team) as space:
        assert space.store.deployments() == []


def test_a_history_of_the_users_in_the_clone_is_gone_on_with(team: Path) -> None:
    for _ in range(2):
        with workspaces.opened(team) as space:
            assert space.store.place.file == str(team / "team.db")


def test_a_log_without_its_database_is_not_made_part_of_a_new_one(tmp_path: Path) -> None:
    """SQLite applies whatever log lies beside a database, also one that was made for another."""
    path, other = tmp_path / "history.db", tmp_path / "forged.db"
    with stores.in_a_file(other) as store:
        store.append("forged", None, records.opened(), records.BEGUN)
        log = (tmp_path / "forged.db-wal").read_bytes()
    assert log
    (tmp_path / "history.db-wal").write_bytes(log)
    with stores.in_a_file(path) as store:
        assert store.deployments() == []
        store.append("own", None, records.opened(), records.BEGUN)
    with stores.in_a_file(path) as store:
        assert [deployment.id for deployment in store.deployments()] == ["own"]
    assert (tmp_path / "history.db-wal.of-a-former-history").read_bytes() == log


@pytest.mark.parametrize("home", ["state", ".", "", "../x"])
def test_a_relative_state_folder_is_not_one_in_the_checkout(home: str) -> None:
    path, is_own = locations.resolve("sqlite", {"XDG_STATE_HOME": home})
    assert is_own
    assert path == Path.home() / ".local/state/hanbae/history.db"
