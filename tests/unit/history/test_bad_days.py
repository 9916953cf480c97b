"""A history on a full disk, on a file system without locks or of the network, and one that is damaged."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import records, scenes

from hanbae import errors, files, subjects
from hanbae.history import database_files, stores, watching
from hanbae.results import events

ROOT = Path(__file__).parents[3]
POD = subjects.Ref("Pod", "services", "auth")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "hanbae-test", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all room that is left."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def append_until_it_fails(store: stores.Store) -> tuple[int, errors.Error]:
    """How many events were returned, and what the next one met."""
    count = 0
    while True:
        fact = events.Logged(POD, "app", "x" * 500)
        try:
            count = store.append("a", None, fact, records.BEGUN).seq
        except errors.Error as error:
            return count, error


def test_an_event_that_has_no_room_is_not_returned_and_the_record_goes_on_later(
    small: Path,
) -> None:
    path = small / "history.db"
    with stores.in_a_file(path) as store:
        store.append("a", None, records.opened(), records.BEGUN)
        filler = fill(small)
        count, error = append_until_it_fails(store)
        assert isinstance(error, errors.FileFault)
        assert (error.text.id, error.place and error.place.file) == ("history.full", str(path))
        with pytest.raises(errors.FileFault, match=r"history\.full"):  # nor the end of a record
            store.append("a", None, records.closed(), records.BEGUN)
        assert [event.seq for event in store.events("a")] == [*range(1, max(count, 1) + 1)]
        filler.unlink()
        assert store.append("a", None, records.closed(), records.BEGUN).seq == max(count, 1) + 1
    with stores.in_a_file(path) as again:
        assert len(again.events("a")) == max(count, 1) + 1


def test_no_history_is_begun_where_there_is_no_room(small: Path) -> None:
    fill(small)
    with pytest.raises(errors.FileFault, match=r"history\.full"):
        stores.in_a_file(small / "state" / "history.db")
    assert sorted(path.name for path in small.rglob("*")) in (["filler"], ["filler", "state"])


def test_a_file_that_is_replaced_where_there_is_no_room_stays_as_it_is(small: Path) -> None:
    path = small / "values.yaml"
    path.write_text("a: 1\n")
    fill(small)
    with pytest.raises(OSError, match="No space"):
        files.replace(path, b"a: 2\n" * 10_000)
    assert path.read_text() == "a: 1\n"
    assert sorted(path.name for path in small.iterdir()) == ["filler", "values.yaml"]


@pytest.mark.parametrize("code", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_without_locks_is_named_and_nothing_is_written(
    tmp_path: Path, code: str
) -> None:
    history = tmp_path / "history.db"
    with stores.in_a_file(history) as store:
        store.append("a", None, records.opened(), records.BEGUN)
    before = history.read_bytes()
    root = tmp_path / "shop"
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    url = "https://git.example.com/shop.git"
    assert scenes.hanbae("init", "--repository", url, directory=root).code == 0
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.refused_locks",
            code,
            "-C",
            str(root),
            "history",
            "list",
        ],
        cwd=ROOT,
        env=scenes.clean_environment()
        | {"HANBAE_HISTORY": f"sqlite:///{history}", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert os.strerror(getattr(errno, code)) in ended.stderr
    assert "HANBAE_HISTORY=sqlite:////" in ended.stderr
    assert history.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path != root] == ["history.db"]


WATCHING = """
import errno, sys
from pathlib import Path
from tests.support import refused_locks
from hanbae.history import watching
refused_locks.refuse(errno.ENOLCK)
with watching.watching(Path(sys.argv[1]), "a"):
    print(watching.is_watched(Path(sys.argv[1]), "a"))
"""


def mark_of(history: Path) -> Path:
    """The file that whoever drives the deployment ``a`` has locked."""
    return history.with_name("history.db.watching") / "a"


def test_a_deployment_goes_on_where_it_cannot_be_marked_as_driven(tmp_path: Path) -> None:
    history = tmp_path / "history.db"
    command = [sys.executable, "-c", WATCHING, str(history)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
    with watching.watching(history, "a"):
        assert watching.is_watched(history, "a")
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        assert mark_of(history).exists()


MEANWHILE = """
import select, sys
from pathlib import Path
from hanbae.history import watching
history = Path(sys.argv[1])
print("begins", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    {does}
"""
LOOKS = 'watching.is_watched(history, "a")'
DRIVES = 'with watching.watching(history, "a"): pass'


@contextlib.contextmanager
def meanwhile(history: Path, does: str) -> Iterator[None]:
    """Another process looks at a deployment, or begins and ends to drive it, again and again."""
    command = [sys.executable, "-c", MEANWHILE.format(does=does), str(history)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        yield
        process.communicate()
        assert process.returncode == 0


def test_a_look_is_not_taken_for_a_driver(tmp_path: Path) -> None:
    history = tmp_path / "history.db"
    with watching.watching(history, "b"):
        mark_of(history).touch()  # by a process that has crashed
    with meanwhile(history, LOOKS):
        assert not any(watching.is_watched(history, "a") for _ in range(1000))


@pytest.mark.parametrize("does", [LOOKS, DRIVES])
def test_a_driver_has_his_mark_whatever_another_process_does(tmp_path: Path, does: str) -> None:
    history = tmp_path / "history.db"
    with meanwhile(history, does):
        for _ in range(500):
            with watching.watching(history, "a"):
                assert watching.is_watched(history, "a")
    assert not mark_of(history).exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("locked", ["a", ".lock"])
def test_a_deployment_goes_on_where_another_lets_nobody_have_the_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    """A hanbae of before shared its mark with nobody; a process may be stopped in the middle of a look."""
    monkeypatch.setattr(watching, "_PATIENCE", 0.1)
    history = tmp_path / "history.db"
    mark_of(history).parent.mkdir()
    with mark_of(history).with_name(locked).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with watching.watching(history, "a"):
            assert watching.is_watched(history, "a")
        assert watching.is_watched(history, "a"), "who cannot look calls nobody gone"
    assert not watching.is_watched(history, "a")


def test_a_mark_is_not_removed_while_another_takes_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PATIENCE", 0.1)
    history = tmp_path / "history.db"
    with contextlib.ExitStack() as another:
        with watching.watching(history, "a"):
            file = another.enter_context(mark_of(history).with_name(".lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        assert mark_of(history).exists()
    assert not watching.is_watched(history, "a")


ANOTHER = """
import sys
from pathlib import Path
from tests.support import records
from hanbae.history import stores
with stores.in_a_file(Path(sys.argv[1])) as store:
    store.append("b", None, records.opened(), records.BEGUN)
    print("added", flush=True)
    sys.stdin.read()
"""


def test_what_another_process_begins_meanwhile_is_not_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    command = [sys.executable, "-c", ANOTHER, str(path)]
    is_file = Path.is_file
    others: list[subprocess.Popen[str]] = []

    def another() -> None:
        pipe = subprocess.PIPE
        others.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True))
        assert others[0].stdout is not None
        assert others[0].stdout.readline() == "added\n"

    def late(companion: Path) -> bool:
        """The look at a log of a history that was not there a moment ago."""
        folder = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another one has to wait
        else:
            if not others:
                another()
        finally:
            os.close(folder)
        return is_file(companion)

    monkeypatch.setattr(Path, "is_file", late)
    with stores.in_a_file(path) as store:
        monkeypatch.undo()
        if not others:
            another()
        assert len(store.events("b")) == 1
        others[0].communicate()


def test_no_log_is_set_aside_while_another_process_begins_a_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "history.db-wal"
    log.touch()
    monkeypatch.setattr(database_files, "BUSY", 0.1)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(errors.Unreachable) as caught:
            stores.in_a_file(tmp_path / "history.db")
    finally:
        os.close(folder)
    assert caught.value.text.id == "history.busy"
    assert list(tmp_path.iterdir()) == [log]


def journal(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("nfs4", "delete"), ("cifs", "delete"), ("fuse.sshfs", "delete"), ("ext4", "wal")],
)
def test_a_history_on_the_network_shares_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, mode: str
) -> None:
    path = tmp_path / "history.db"
    with stores.in_a_file(path) as store:  # by a hanbae that took it for a local one
        store.append("a", None, records.opened(), records.BEGUN)
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 0:999 / /proc rw - proc proc rw\n"
        f"22 1 {number} / /home rw,relatime shared:1 - {kind} server:/home rw\n"
    )
    monkeypatch.setattr(database_files, "_MOUNTS", mounts)
    with stores.in_a_file(path) as store:
        store.append("a", None, records.closed(), records.BEGUN)
        assert not [p for p in tmp_path.iterdir() if p.name.endswith("-shm")] or mode == "wal"
    assert journal(path) == mode
    with stores.in_a_file(path) as store:
        assert len(store.events("a")) == 2


def read_all(path: Path) -> None:
    with stores.in_a_file(path) as store:
        store.deployments()
        store.events("b")


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def cut_within_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def overwrite_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def overwrite_an_event(path: Path) -> None:
    content = path.read_bytes()
    assert b'{"deployment":"b"' in content
    path.write_bytes(content.replace(b'{"deployment":"b"', b'\x00"deployment":"b"'))


@pytest.mark.parametrize(
    "damage",
    [cut_in_half, cut_within_a_page, overwrite_pages, overwrite_an_event],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_history_is_named_as_damaged_and_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "history.db"
    with stores.in_a_file(path) as store:
        for name in ("a", "b"):
            store.append(name, None, records.opened(), records.BEGUN)
            for _ in range(40):
                fact = events.Logged(POD, "app", "x" * 500)
                store.append(name, None, fact, records.BEGUN)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(errors.FileFault) as caught:
        read_all(path)
    # One event is a matter of its record, pages are one of the file.
    part = "record-damaged" if damage is overwrite_an_event else "damaged"
    assert caught.value.text.id == f"history.{part}"
    assert caught.value.place is not None
    assert caught.value.place.file == str(path)
    assert path.read_bytes() == before
    path.rename(tmp_path / "history.damaged")
    with stores.in_a_file(path) as store:  # what the message names
        assert store.deployments() == []
