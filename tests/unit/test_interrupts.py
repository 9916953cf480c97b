"""A command that is terminated ends as at Ctrl-C, whatever its parent has made of Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SCRIPT = """\
import asyncio, signal, sys
from hanbae.cli import interrupts

async def wait():
    try:
        print("waiting", flush=True)
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)

signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
try:
    with interrupts.terminable() as terminated:
        asyncio.run(wait())
except KeyboardInterrupt:
    sys.exit(interrupts.TERMINATED if terminated else interrupts.INTERRUPTED)
"""


@pytest.mark.parametrize("ctrl_c", ["default_int_handler", "SIG_IGN"])
def test_termination_cleans_up_and_has_its_exit_code(ctrl_c: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, ctrl_c], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        try:
            stdout, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 143
    assert stdout == "cleaned up\n"
