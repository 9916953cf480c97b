"""The console script before its front door is there."""

from __future__ import annotations

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
