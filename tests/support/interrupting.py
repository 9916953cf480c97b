"""Stops a command of hanbae's at a chosen moment, as a person or the kernel would."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.support import scenes

# A job that a shell started in the background ignores SIGINT, and so would its children.
START: Final = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "hanbae"
from hanbae.cli import main
main.main()
"""
"""Runs hanbae with Ctrl-C as it is on a terminal."""


@dataclass(frozen=True)
class Stopped:
    """A command that was stopped.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        reached: Whether it came to the moment at all.
        err: What it wrote to stderr.
    """

    code: int
    reached: bool
    err: str


def stop(
    arguments: list[str],
    *,
    after: str,
    by: signal.Signals,
    deadline_s: float = 600,
    environment: Mapping[str, str] | None = None,
) -> Stopped:
    """Run hanbae and send it a signal as soon as a line of its narration matches.

    SIGINT goes to the whole process group, as from a terminal; SIGKILL to hanbae alone, as from the kernel, so that
    its children are left to see how they end.

    Args:
        arguments: The words after ``hanbae``.
        after: Regular expression that the line matches.
        by: The signal.
        deadline_s: Seconds after which the command is killed with everything that belongs to it.
        environment: Variables to add.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        env=scenes.clean_environment() | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    late = threading.Timer(deadline_s, _end_group, (process,))
    late.start()
    lines, reached = [], False
    try:
        if process.stderr is None:
            message = "no pipe"
            raise RuntimeError(message)
        with process.stderr as narration:
            for line in narration:
                lines.append(line)
                if not reached and re.search(after, line):
                    reached = True
                    if by is signal.SIGKILL:
                        process.kill()
                        # Children hold the pipe open for as long as they live.
                        break
                    os.killpg(process.pid, by)
        return Stopped(process.wait(), reached, "".join(lines))
    finally:
        late.cancel()
        if process.poll() is None:
            _end_group(process)


def _end_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
