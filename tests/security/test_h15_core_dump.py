"""A process that holds a plaintext leaves no core dump, however it is ended."""

from __future__ import annotations

import array
import fcntl
import os
import resource
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from tests.support import polling

from hanbae.actions import init, new_service

CANARY = b"TOP-SECRET-CANARY"


def waiting(descriptor: int) -> int:
    """Bytes in a pipe that nobody has read yet."""
    size = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, size)
    return size[0]


def unlimited() -> None:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # ignored where the tests run in the background
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY,
    reason="no process here may dump core",
)
@pytest.mark.parametrize("source", ["--stdin", "--from-file"])
def test_sealing_that_is_ended_by_sigquit_leaves_no_core(source: str, tmp_path: Path) -> None:
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(tmp_path, "auth")
    reading, writing = os.pipe()
    code = "from hanbae.cli import entry; entry.main()"
    words = [sys.executable, "-c", code]
    words += ["secrets", "seal", "auth", "--env", "dev", source]
    words += ["JWT_SECRET" if source == "--stdin" else "JWT_SECRET=/dev/stdin"]
    process = subprocess.Popen(
        words, cwd=tmp_path, stdin=reading, stderr=subprocess.DEVNULL, preexec_fn=unlimited  # noqa: PLW1509
    )  # fmt: skip
    try:
        os.write(writing, CANARY)
        polling.until(lambda: waiting(reading) == 0, within=100)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        process.send_signal(signal.SIGQUIT)
        assert process.wait(60) == -signal.SIGQUIT
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("core")]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
def test_a_process_without_core_dumps_can_still_show_its_certificate(tmp_path: Path) -> None:
    """Keys go through /proc/self/fd, which belongs to root then; a process may always read its own."""
    code = """
import ctypes, os
from hanbae import confinement
from hanbae.clusters import tls
os.setgid(65534)
os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
confinement.forbid_core_dumps()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
with tls._in_memory("key", b"content") as path:
    print(open(path, "rb").read().decode())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert ended.stdout.split() == ["0", "content"], ended.stderr
