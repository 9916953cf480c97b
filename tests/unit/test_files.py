"""The one atomic replacement: permissions, links, long names, failures, and what is on the disk when it returns."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hanbae import files


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_what_the_umask_leaves(tmp_path: Path, mask: int, expected: int) -> None:
    with umask(mask):
        files.replace(tmp_path / "new", "한배\n")
    assert mode(tmp_path / "new") == expected
    assert (tmp_path / "new").read_text("utf-8") == "한배\n"


def test_the_permissions_of_a_file_that_is_there_stay(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("old")
    path.chmod(0o750)
    with umask(0o077):
        files.replace(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o750)


def test_permissions_that_are_named_count_whatever_the_umask_is(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with umask(0o000):
        files.replace(path, b"secret", mode=0o600)
    assert mode(path) == 0o600
    with umask(0o077):
        files.replace(path, b"shared", mode=0o644)
    assert mode(path) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("together", [False, True])
def test_a_file_that_is_there_stays_with_its_owner(tmp_path: Path, *, together: bool) -> None:
    """Under sudo, and in a container with a user's clone, the user could else not read it any more."""
    path = tmp_path / "values.yaml"
    path.write_text("old")
    path.chmod(0o640)
    os.chown(path, 4321, 4322)
    if together:
        files.replace_all({path: "new"})
    else:
        files.replace(path, "new")
    status = path.stat()
    assert (path.read_text(), status.st_uid, status.st_gid) == ("new", 4321, 4322)
    assert mode(path) == 0o640


def test_a_group_that_cannot_be_kept_leaves_nothing_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("old")
    path.chmod(0o664)
    real = os.fstat

    def of_others(handle: int) -> os.stat_result:
        status = list(real(handle))
        status[stat.ST_GID] += 1
        return os.stat_result(status)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fstat", of_others)
    monkeypatch.setattr(os, "fchown", refuse)
    files.replace(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o644)


def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("theirs")
    target.chmod(0o600)
    link.symlink_to(target)
    with umask(0o022):
        files.replace(link, "ours")
    assert (target.read_text(), mode(target)) == ("theirs", 0o600)
    assert not link.is_symlink()
    assert mode(link) == 0o644


@pytest.mark.parametrize("name", ["x" * 255, "한" * 85], ids=["255 letters", "255 bytes of Hangul"])
def test_the_longest_names_are_written(tmp_path: Path, name: str) -> None:
    assert len(name.encode()) == 255
    files.replace(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    message = "no space"

    def half() -> None:
        with files.replacing(path) as file:
            file.write(b"half of the new")
            file.flush()
            raise OSError(errno.ENOSPC, message)

    with pytest.raises(OSError, match=message) as caught:
        half()
    assert files.reason(caught.value) == message
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls = tmp_path / "file", []
    sync = os.fsync

    def recorded(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        calls.append((kind, path.exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", recorded)
    files.replace(path, "x")
    assert calls == [("file", False), ("folder", True)]
    calls.clear()
    files.replace(path, "y", durable=False)
    assert calls == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_a_file_is_replaced_in_a_folder_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = 65534
    os.chown(tmp_path, nobody, nobody)
    tmp_path.chmod(0o300)
    monkeypatch.chdir(tmp_path)  # as nobody, none of the folders above may be entered
    os.seteuid(nobody)
    try:
        files.replace(Path("file"), "x")
    finally:
        os.seteuid(0)
    assert (tmp_path / "file").read_text() == "x"


def test_reasons_are_the_systems_words_or_the_errors_name() -> None:
    assert files.reason(OSError(errno.EACCES, "Permission denied")) == "Permission denied"
    assert files.reason(RuntimeError("Symlink loop")) == "RuntimeError"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("a\n", "a\n", []),
        ("a\nb\n", "a\nc\n", ["-b", "+c"]),
        ("a", "a\n", ["-a", "+a"]),
        ("a\u2028b\n", "a\u2028c\n", ["-a\u2028b", "+a\u2028c"]),
    ],
)
def test_differences_end_lines_only_where_git_does(old: str, new: str, lines: list[str]) -> None:
    shown = files.diff("f", old, new).split("\n")
    assert [
        line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---") and line
    ] == lines


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize(("folder_mode", "owner"), [(0o755, 12345), (0o1777, 0)])
def test_a_file_stays_its_owners_but_where_anybody_may_have_put_it(
    tmp_path: Path, folder_mode: int, owner: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(folder_mode)
    path = folder / "plan.json"
    path.write_text("planted")
    path.chmod(0o666)
    os.chown(path, 12345, 12345)
    files.replace(path, "ours")
    status = path.stat()
    assert status.st_uid == owner
    assert owner or not status.st_mode & stat.S_IWOTH
