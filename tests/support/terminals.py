"""Runs a command as a person at a terminal does: it sees a terminal, draws for it, and asks there for secrets.

A pipe would not do: without a terminal hanbae asks nothing, draws nothing and shows no colour.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Prompts for secrets go to the controlling terminal, which a new session does not have yet. Whoever runs the tests in
# the background has Ctrl-C ignored, which children inherit.
_CONTROLLED: Final = """\
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Shown:
    """A command that has ended.

    Attributes:
        code: Its exit code.
        text: Everything that the terminal was sent, escapes included; lines end with CR LF.
    """

    code: int
    text: str


def run(
    arguments: Sequence[str],
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
    columns: int = 100,
    rows: int = 40,
    deadline_s: float = 600,
) -> Shown:
    """Run a command at a terminal of its own.

    Args:
        arguments: The program and its arguments.
        directory: Where it is started.
        environment: All of its variables; None for ours.
        answers: Regular expression → what is typed once the last line that is shown matches it. Each is typed once.
        columns: Width of the terminal.
        rows: Height of the terminal.
        deadline_s: Seconds after which the command is killed with its whole session.

    Raises:
        TimeoutError: It did not end in time; the message has the end of what was shown.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _CONTROLLED, *arguments],
            cwd=directory,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
    finally:
        os.close(slave)
    try:
        text = _watch(master, dict(answers or {}), time.monotonic() + deadline_s)
        return Shown(process.wait(), text)
    finally:
        os.close(master)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _watch(master: int, answers: dict[str, str], end: float) -> str:
    """Read until the last process that has the terminal is gone, and answer what is asked."""
    shown = bytearray()
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([master], [], [], left)[0]:
            raise TimeoutError(shown[-2000:].decode(errors="replace"))
        try:
            read = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            read = b""
        if not read:
            return shown.decode(errors="replace")
        shown += read
        last = shown[shown.rfind(b"\n") + 1 :].decode(errors="replace")
        for pattern in [pattern for pattern in answers if re.search(pattern, last)]:
            os.write(master, f"{answers.pop(pattern)}\n".encode())
