"""The console script before its front door is there."""

from __future__ import annotations

import subprocess
import sys

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


def test_ctrl_c_during_the_first_imports_is_130_without_a_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
