"""Kept results: whole or none, the user's alone, and never more than there is room for."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from hanbae.repository import keeping

NAME = keeping.key("a", b"b")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> keeping.Cache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    opened = keeping.opened()
    assert opened is not None
    return opened


def entry(root: Path) -> Path:
    (path,) = (root / "hanbae" / "results").glob("??/*")
    return path


def test_what_is_put_is_got_and_only_the_user_may_read_it(
    kept: keeping.Cache, tmp_path: Path
) -> None:
    assert kept.get(NAME) is None
    kept.put(NAME, b"content")
    assert kept.get(NAME) == b"content"
    path = entry(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "hanbae" / "results").stat().st_mode & 0o777 == 0o700


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert keeping.key("ab", "c") != keeping.key("a", "bc")
    assert keeping.key("ab") != keeping.key("ab", "")


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_a_damaged_entry_is_none_and_is_replaced(
    kept: keeping.Cache, tmp_path: Path, damage: bytes | None
) -> None:
    kept.put(NAME, b"content")
    path = entry(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"!" if damage is None else damage)
    assert kept.get(NAME) is None
    kept.put(NAME, b"content")
    assert kept.get(NAME) == b"content"


def test_a_link_in_place_of_an_entry_is_not_followed(kept: keeping.Cache, tmp_path: Path) -> None:
    kept.put(NAME, b"content")
    path = entry(tmp_path)
    other = tmp_path / "other"
    path.rename(other)
    path.symlink_to(other)
    assert kept.get(NAME) is None


def test_a_pipe_in_place_of_an_entry_is_not_waited_for(kept: keeping.Cache, tmp_path: Path) -> None:
    kept.put(NAME, b"content")
    path = entry(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert kept.get(NAME) is None


def test_a_folder_that_others_may_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "hanbae" / "results").mkdir(parents=True, mode=0o755)
    (tmp_path / "hanbae" / "results").chmod(0o755)
    assert keeping.opened() is None


def test_a_cache_that_is_a_file_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert keeping.opened() is None


def test_old_entries_go_and_of_too_many_the_oldest(kept: keeping.Cache, tmp_path: Path) -> None:
    names = [keeping.key(str(number)) for number in range(4)]
    root = tmp_path / "hanbae" / "results"
    for name in names:
        kept.put(name, b"x" * 68)  # 100 bytes with the digest
    ages = (40 * 86400, 3000, 2000, 1000)
    for name, age in zip(names, ages, strict=True):
        path = root / name[:2] / name
        changed = path.stat().st_mtime - age
        os.utime(path, (changed, changed))
    keeping.clean(root, most=250)
    assert [kept.get(name) is not None for name in names] == [False, False, True, True]


def _put(cache: str, number: int) -> None:
    os.environ["XDG_CACHE_HOME"] = cache
    os.environ["XDG_STATE_HOME"] = f"{cache}/state"
    opened = keeping.opened()
    assert opened is not None
    for _ in range(200):
        opened.put(NAME, bytes([number]) * 50_000)
        content = opened.get(NAME)
        assert content is not None
        assert len(set(content)) == 1


def test_runs_at_the_same_time_see_only_whole_entries(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    runs = [spawn.Process(target=_put, args=(str(tmp_path), number)) for number in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0, 0]


def test_it_is_known_whether_anything_is_kept(tmp_path: Path) -> None:
    cache = keeping.Cache(tmp_path, b"s" * 32)
    assert cache.is_empty()
    cache.clean()
    assert cache.is_empty()
    cache.put(keeping.key("a"), b"content")
    assert not cache.is_empty()
    cache.clean()
    assert not cache.is_empty()
    assert keeping.Cache(tmp_path / "gone", b"s" * 32).is_empty()
