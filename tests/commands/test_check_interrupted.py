"""Ctrl-C ends a check at once, with everything that it has started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support import interrupting, scenes

from hanbae.sandbox import demo_repository

ENDLESS = '{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t "Template" .Template) }}\n'
WITHIN = 30.0


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there, theirs included."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [child for number in map(int, listed) for child in (number, *children(number))]


def renders(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name == "hanbae-renderer"
    except OSError:
        return False


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_ends_a_check_that_renders_for_ever_and_leaves_no_worker(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(demo_repository.example(), shop)
    (shop / "services/auth/helm/templates/endless.yaml").write_text(ENDLESS)
    process = subprocess.Popen(
        [sys.executable, "-c", interrupting.START, "-C", str(shop), "check", "auth"],
        env=scenes.clean_environment() | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + WITHIN
    started: list[int] = []
    try:
        while not any(map(renders, started)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            started = children(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=WITHIN)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    while any(lives(child) for child in started):
        assert time.monotonic() < deadline, started
