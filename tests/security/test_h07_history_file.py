"""The file that a history's address leads to: nothing that hanbae did not make is changed, whatever it is."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import records

from hanbae import errors
from hanbae.history import stores


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
    with stores.Store(path) as store:
        store.append("a", None, records.opened(), records.BEGUN)
    with stores.Store(path) as store:
        assert len(store.events("a")) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
