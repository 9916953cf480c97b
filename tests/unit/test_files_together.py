"""Several files that change together: all of them, or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import polling

from hanbae import files


def folder_of(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "values.yaml").write_text("old\n")
    return folder / "values.yaml"


def test_all_of_them_change(tmp_path: Path) -> None:
    dev, staging = folder_of(tmp_path, "dev"), folder_of(tmp_path, "staging")
    dev.chmod(0o640)
    new = tmp_path / "dev" / "new.yaml"
    files.replace_all({dev: "a\n", staging: "b\n", new: "c\n"})
    assert [path.read_text() for path in (dev, staging, new)] == ["a\n", "b\n", "c\n"]
    assert dev.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in dev.parent.iterdir()) == ["new.yaml", "values.yaml"]


def test_one_that_cannot_be_written_leaves_the_others_and_is_named(tmp_path: Path) -> None:
    dev, staging = folder_of(tmp_path, "dev"), tmp_path / "gone" / "values.yaml"
    with pytest.raises(OSError, match="No such file") as caught:
        files.replace_all({dev: "a\n", staging: "b\n"})
    assert caught.value.filename == str(staging)
    assert dev.read_text() == "old\n"
    assert [path.name for path in dev.parent.iterdir()] == ["values.yaml"]


def test_one_that_cannot_take_its_name_puts_the_others_back(tmp_path: Path) -> None:
    """A folder in the place of a file is met only when the others have changed already."""
    dev, new = folder_of(tmp_path, "dev"), tmp_path / "dev" / "new.yaml"
    taken = tmp_path / "taken"
    (taken / "x").mkdir(parents=True)
    with pytest.raises(OSError, match=r"directory|not empty"):
        files._rename_all(
            {
                dev: renamed(tmp_path, "1"),
                new: renamed(tmp_path, "2"),
                taken: renamed(tmp_path, "3"),
            },
            {dev: b"old\n", new: None, taken: None},
        )
    assert dev.read_text() == "old\n"
    assert not new.exists()


@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_link_is_put_back_as_the_link_that_it_was(tmp_path: Path, is_dangling: bool) -> None:
    target = folder_of(tmp_path, "real")
    link, taken = tmp_path / "link.yaml", tmp_path / "taken"
    link.symlink_to("real/values.yaml")
    if is_dangling:
        target.unlink()
    (taken / "x").mkdir(parents=True)
    former = {link: files._former(link), taken: None}
    with pytest.raises(OSError, match=r"directory|not empty"):
        files._rename_all({link: renamed(tmp_path, "1"), taken: renamed(tmp_path, "2")}, former)
    assert link.readlink() == Path("real/values.yaml")
    assert is_dangling or target.read_text() == "old\n"


def renamed(root: Path, name: str) -> Path:
    path = root / name
    path.write_text("new\n")
    return path


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from hanbae import files
signal.signal(signal.SIGINT, signal.default_int_handler)
replace = Path.replace
def slow(self, target):
    replace(self, target)
    os.kill(os.getpid(), signal.SIGINT)
Path.replace = slow
try:
    files.replace_all({Path(name): "new\\n" for name in sys.argv[1:]})
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_between_two_files_is_answered_when_both_have_changed(tmp_path: Path) -> None:
    paths = [folder_of(tmp_path, "dev"), folder_of(tmp_path, "staging")]
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, *map(str, paths)], check=False)
    assert ended.returncode == 130
    assert [path.read_text() for path in paths] == ["new\n", "new\n"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


HOLDING = """
import sys
from pathlib import Path
from hanbae import files
with files.locked([Path(sys.argv[1])]):
    print("locked", flush=True)
    sys.stdin.readline()
"""


def test_others_wait_for_a_locked_folder(tmp_path: Path) -> None:
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDING, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    ]
    first = holders[0]
    assert first.stdin is not None
    assert first.stdout is not None
    assert first.stdout.readline() == "locked\n"
    waiting = os.fork()
    if waiting == 0:
        with files.locked([tmp_path]):
            os._exit(0)
    try:
        polling.until(lambda: is_waiting(waiting) or not alive(waiting), within=60)
        assert alive(waiting)
    finally:
        first.stdin.write("\n")
        first.stdin.close()
        first.wait()
        first.stdout.close()
        assert os.waitpid(waiting, 0)[1] == 0


def alive(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def is_waiting(process: int) -> bool:
    """Whether a process waits for a lock that another one has: ``3: -> FLOCK ADVISORY WRITE 123 …``."""
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any("->" in words and str(process) in words for words in lines)
