"""``./dev test``: picks the tests, and obtains what the slower ones stand on before pytest hides the progress."""

from __future__ import annotations

import os
import sys
from pathlib import Path

TIERS = ("unit", "api", "commands", "typing", "e2e", "crash")
_NEED_BINARIES = {"api", "commands", "e2e", "crash"}


def main(arguments: list[str]) -> int:
    """Run the tiers that are named first, or all but ``crash``; the rest goes to pytest."""
    here = Path(__file__).parent
    tiers = []
    while arguments and arguments[0] in TIERS:
        tiers.append(arguments.pop(0))
    chosen = tiers or [tier for tier in TIERS if tier != "crash"]
    if _NEED_BINARIES & set(chosen):
        _obtain_binaries()
    folders = [str(here / tier) for tier in chosen if (here / tier).is_dir()]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *folders, *arguments])  # noqa: S606


def _obtain_binaries() -> None:
    from hanbae.cli import narration, sandbox
    from hanbae.sandbox import binaries

    binaries.obtain(progress=sandbox.Narrated(narration.Narration()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
