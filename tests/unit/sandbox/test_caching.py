from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.sandbox import caching


def fill(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "tool").write_bytes(b"content")
    (folder / "bin" / "alias").symlink_to("tool")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    caching.store(tmp_path / "tool-1", fill)
    return tmp_path / "tool-1"


def test_a_stored_folder_is_intact_and_the_users_alone(stored: Path) -> None:
    assert caching.intact(stored)
    assert stored.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_there_is_not_intact(tmp_path: Path) -> None:
    assert not caching.intact(tmp_path / "none")


def test_a_truncated_file_is_noticed(stored: Path) -> None:
    (stored / "bin" / "tool").write_bytes(b"cont")
    assert not caching.intact(stored)


def test_a_file_of_the_same_size_with_other_content_is_noticed(stored: Path) -> None:
    (stored / "bin" / "tool").write_bytes(b"CONTENT")
    assert not caching.intact(stored)


def _without_file(folder: Path) -> None:
    (folder / "bin" / "tool").unlink()


def _with_bent_link(folder: Path) -> None:
    (folder / "bin" / "alias").unlink()
    (folder / "bin" / "alias").symlink_to("/bin/sh")


def _without_manifest(folder: Path) -> None:
    (folder / caching.MANIFEST).unlink()


def _with_half_a_manifest(folder: Path) -> None:
    (folder / caching.MANIFEST).write_text("{")


@pytest.mark.parametrize(
    "damage", [_without_file, _with_bent_link, _without_manifest, _with_half_a_manifest]
)
def test_damage_is_noticed(stored: Path, damage: Callable[[Path], None]) -> None:
    damage(stored)
    assert not caching.intact(stored)


def test_a_touched_file_is_hashed_once_and_then_trusted_again(stored: Path) -> None:
    before = (stored / caching.MANIFEST).read_bytes()
    os.utime(stored / "bin" / "tool", (1, 1))
    assert caching.intact(stored)
    after = (stored / caching.MANIFEST).read_bytes()
    assert after != before
    assert caching.intact(stored)
    assert (stored / caching.MANIFEST).read_bytes() == after


def test_a_failed_filling_leaves_the_older_folder_and_nothing_else(stored: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        caching.store(stored, fail)
    assert caching.intact(stored)
    assert [path.name for path in stored.parent.iterdir()] == ["tool-1"]


def test_what_a_killed_builder_left_is_swept(tmp_path: Path, stored: Path) -> None:
    (tmp_path / ".staging-tool-2" / "bin").mkdir(parents=True)
    caching.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tool-1"]


def test_a_folder_that_others_may_enter_is_refused(stored: Path) -> None:
    stored.chmod(0o755)
    with pytest.raises(errors.Refused) as caught:
        caching.intact(stored)
    assert caught.value.text.facts["folder"] == str(stored)


def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(errors.Refused):
        caching.private(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(stored: Path) -> None:
    os.chown(stored, 65534, 65534)
    with pytest.raises(errors.Refused):
        caching.intact(stored)


def test_the_cache_is_where_the_xdg_specification_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert caching.root() == tmp_path / "cache" / "hanbae" / "sandbox"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert caching.root() == tmp_path / "home" / ".cache" / "hanbae" / "sandbox"


def test_a_second_builder_says_that_it_waits_and_goes_on_when_the_first_is_killed(
    tmp_path: Path,
) -> None:
    script = textwrap.dedent(
        """
        import pathlib, sys, time
        from hanbae.sandbox import caching
        with caching.locked(pathlib.Path(sys.argv[1]), lambda: None):
            print("locked", flush=True)
            time.sleep(600)
        """
    )
    first = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "locked\n"
    waits, has = threading.Event(), threading.Event()

    def second() -> None:
        with caching.locked(tmp_path, waits.set):
            has.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert waits.wait(10)
    assert not has.is_set()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert has.wait(10)
    thread.join()


def test_checking_an_unchanged_folder_reads_none_of_its_files(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        pytest.fail("hashed")

    monkeypatch.setattr("hashlib.file_digest", read)
    assert caching.intact(stored)
