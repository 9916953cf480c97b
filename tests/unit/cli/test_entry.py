"""The console script before its front door is there."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

INTERRUPTED = """
import sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "hanbae.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder)
sys.argv = ["hanbae", "check"]
from hanbae.cli import entry
entry.main()
"""

READING = """
import sys
from hanbae.apis import serving
from hanbae.charts import filling
serving.data()
filling._template("repository/guessed-control.yaml")
print("zipfile" in sys.modules)
"""


def test_ctrl_c_during_the_first_imports_is_130_without_a_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


LOOKED_UP = """
import sys

names = []

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        names.append(name)

sys.modules.pop("__future__", None)
sys.meta_path.insert(0, Finder)
from hanbae.cli import entry
sys.argv = ["hanbae", "--version"]
entry.main()
print(*names[:names.index("hanbae.cli.quitting")], file=sys.stderr)
"""


def test_nothing_is_imported_before_ctrl_c_is_answered() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOOKED_UP], capture_output=True, text=True, check=True
    )
    names = set(ended.stderr.split())
    assert names == {"__future__", "hanbae", "hanbae.cli", "hanbae.cli.entry"}


def test_importing_the_script_changes_no_answer_to_a_signal() -> None:
    # A test's process would end without a word, and leave its servers behind.
    code = (
        "import signal; before = signal.getsignal(2), signal.getsignal(15); import hanbae.cli.entry"
    )
    code += "; assert (signal.getsignal(2), signal.getsignal(15)) == before"
    subprocess.run([sys.executable, "-c", code], check=True)


SIGNALLED = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored
place, number = sys.argv[1], int(sys.argv[2])

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == place:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Finder)
del sys.modules["signal"]
sys.argv = ["hanbae", "check", "--rules"]
from hanbae.cli import entry
entry.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    "place",
    ["hanbae.garbage", "hanbae.cli.main", "click", "hanbae.cli.check", "hanbae.cli.reports"],
)
def test_signal_during_the_first_imports_ends_at_once_without_a_word(
    place: str, number: signal.Signals, code: int
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, place, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")


@pytest.mark.parametrize("place", ["signal", "hanbae.cli.quitting"])
def test_ctrl_c_while_its_answer_is_imported_is_no_traceback(place: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, place, str(int(signal.SIGINT))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


RARELY = """
import gc
import sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "hanbae.cli.main":
            print(gc.get_threshold()[0])
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder)
sys.argv = ["hanbae", "check"]
from hanbae.cli import entry
entry.main()
"""
FURTHER = """
import asyncio
import gc
from hanbae.checking import inspection_worker

def run(serving):
    serving.close()
    print(gc.get_threshold()[0])

asyncio.run = run
inspection_worker.main()
"""


@pytest.mark.parametrize("program", [RARELY, FURTHER])
def test_imports_are_not_looked_through_for_garbage(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert int(ended.stdout) >= 100_000


def test_the_files_of_the_package_are_read_without_what_reads_archives() -> None:
    command = [sys.executable, "-c", READING]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
