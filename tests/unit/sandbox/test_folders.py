from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.sandbox import folders


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "hanbae" / "sandbox"


def test_a_sandbox_has_one_folder_under_the_state_home_and_nobody_else_may_look(
    state: Path,
) -> None:
    folder = folders.of("demo")
    folder.make()
    assert folder.root == state / "demo"
    assert folder.root.stat().st_mode & 0o777 == 0o700


def test_a_relative_state_home_is_ignored_as_xdg_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert folders.home() == tmp_path / "home" / ".local" / "state" / "hanbae" / "sandbox"


def test_a_folder_that_others_can_write_to_is_refused(state: Path) -> None:
    folders.home()
    state.chmod(0o777)
    with pytest.raises(errors.Refused):
        folders.home()


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "../x", "a/b", "a" * 31, "ä", "a\n"])
def test_a_name_that_cannot_be_a_host_name_is_refused(name: str) -> None:
    with pytest.raises(errors.WrongUse):
        folders.of(name)


@pytest.mark.parametrize("name", ["a", "default", "e2e", "two-words", "a" * 30])
def test_ordinary_names_are_usable(name: str) -> None:
    assert folders.of(name).name == name


def test_every_sandbox_is_found_and_locks_are_not_taken_for_sandboxes() -> None:
    for name in ("one", "two"):
        folders.of(name).make()
    with folders.of("one").locked(lambda: None):
        assert [folder.name for folder in folders.every()] == ["one", "two"]


def test_writing_the_same_again_does_nothing_and_the_mode_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert folders.write(path, "content")
    assert not folders.write(path, "content")
    assert folders.write(path, "other")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path_beside.name for path_beside in path.parent.iterdir()] == ["file"]


def _hold(name: str, held: multiprocessing.synchronize.Event) -> None:
    with folders.of(name).locked(lambda: None):
        held.set()
        os.kill(os.getpid(), 9)  # the lock must not survive its holder, however that ends


def test_the_lock_excludes_others_and_ends_with_its_holder() -> None:
    spawn = multiprocessing.get_context("spawn")
    folders.of("demo").make()
    waited: list[bool] = []
    with (
        folders.of("demo").locked(lambda: None),
        pytest.raises(errors.Refused),
        folders.of("demo").locked(lambda: waited.append(True), deadline_s=0.3),
    ):
        pytest.fail("two holders")
    assert waited == [True]
    held = spawn.Event()
    holder = spawn.Process(target=_hold, args=("demo", held))
    holder.start()
    assert held.wait(20)
    holder.join(20)
    with folders.of("demo").locked(lambda: waited.append(True), deadline_s=5):
        pass


@pytest.mark.parametrize("part", ["", "demo"])
def test_removal_does_not_mind_what_vanishes_or_appears_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """A deployment that ends has its history in the folder: SQLite removes files of its own, and makes others."""
    folder = folders.Folder(tmp_path / "demo")
    place = folder.root / part
    place.mkdir(parents=True)
    for name in ("history.db", "history.db-shm", "history.db-wal"):
        (place / name).touch()
    unlink = os.unlink

    def once(path: str | Path, **options: Any) -> None:
        """The first removal takes a moment, in which its neighbours go and one comes."""
        monkeypatch.setattr(os, "unlink", unlink)
        unlink(path, **options)
        for name in ("history.db", "history.db-shm", "history.db-wal"):
            (place / name).unlink(missing_ok=True)
        (folder.root / "history-late.db").touch()

    monkeypatch.setattr(os, "unlink", once)
    folder.remove()
    assert not folder.root.exists()


@pytest.mark.parametrize("removals", range(1, 7))
def test_what_a_removal_that_was_killed_has_left_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removals: int
) -> None:
    folder = folders.Folder(tmp_path / "demo")
    folder.make()
    folder.identity.touch()
    folder.ready.touch()
    remove, left = folders._remove, iter(range(removals))

    def killed(path: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        remove(path)

    monkeypatch.setattr(folders, "_remove", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.remove()
    assert not folder.ready.exists()
    assert folder.identity.exists()


def test_removal_that_is_refused_is_not_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders.Folder(tmp_path / "demo")
    (folder.root / "demo").mkdir(parents=True)
    (folder.root / "demo" / "held").touch()

    def refuse(path: str | Path, **options: Any) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError):
        folder.remove()
