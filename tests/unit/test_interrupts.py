"""A command that is terminated ends as at Ctrl-C, whatever its parent has made of Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from tests.support import command_tree

from hanbae.cli import options


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


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


WITHIN = """\
import asyncio, os, signal, sys
from hanbae.cli import check, main

class Descriptor:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def in_a_class():
    class Owner:
        attribute = Descriptor()

def in_a_finalizer():
    Finalized()
    signal.pause()

def before_a_coroutine():
    coroutine = asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGINT)
    asyncio.run(coroutine)

signal.signal(signal.SIGINT, signal.default_int_handler)
place = globals()[sys.argv[1]]
check._describe_rules = lambda *_: place()
sys.argv[1:] = ["check", "--rules"]
main.main()
"""


@pytest.mark.parametrize("place", ["in_a_class", "in_a_finalizer", "before_a_coroutine"])
def test_ctrl_c_where_python_makes_something_else_of_it_ends_the_command(place: str) -> None:
    ended = run(WITHIN, place)
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (130, "", "")


LEAVING = """\
import atexit, os, signal, sys
from hanbae.cli import check, main

signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(os.kill, os.getpid(), int(sys.argv[1]))
check._describe_rules = lambda *_: 0
sys.argv[1:] = ["check", "--rules"]
main.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_on_the_way_out_is_no_traceback(number: signal.Signals, code: int) -> None:
    ended = run(LEAVING, str(int(number)))
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")


BEGUN = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from hanbae.cli import check, entry

def place():
    try:
        os.kill(os.getpid(), int(sys.argv[-1]))
        signal.pause()
    finally:
        print("cleaned up", flush=True)

check._describe_rules = lambda *_: place()
number = sys.argv[1]
sys.argv[1:] = ["check", "--rules", number]
entry.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_command_that_has_begun_is_cleaned_up(number: signal.Signals, code: int) -> None:
    ended = run(BEGUN, str(int(number)))
    assert (ended.returncode, ended.stdout) == (code, "cleaned up\n")


def test_every_command_says_that_it_begins() -> None:
    assert all(isinstance(command, options.Command) for _, command in command_tree.walk())
