"""``./dev test``: picks the tests, and obtains what they stand on before pytest hides the progress."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TIERS = ("unit", "api", "commands", "typing", "e2e", "crash")
_NEED_BINARIES = {"api", "commands", "e2e", "crash"}
_PROGRAMS = {"git": "git", "strace": "strace"}
"""Programs that the tests call and the sandbox does not bring, with their Debian packages."""


def main(arguments: list[str]) -> int:
    """Run the tiers that are named first, or all but ``crash``; the rest goes to pytest."""
    here = Path(__file__).parent
    tiers = []
    while arguments and arguments[0] in TIERS:
        tiers.append(arguments.pop(0))
    chosen = tiers or [tier for tier in TIERS if tier != "crash"]
    if _NEED_BINARIES & set(chosen):
        _install_programs()
        _obtain_binaries()
    if "commands" in chosen:
        _obtain_peer()
    folders = [str(here / tier) for tier in chosen if (here / tier).is_dir()]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *folders, *arguments])  # noqa: S606


def _install_programs() -> None:
    """Install what is missing, but only if apt would remove nothing for it."""
    packages = [package for name, package in _PROGRAMS.items() if not shutil.which(name)]
    if not packages:
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"The tests need {', '.join(packages)}; as root: {' '.join(install)}")
    subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=sys.stderr)
    plan = subprocess.run([*install, "--simulate"], check=True, capture_output=True, text=True)
    if any(line.startswith("Remv ") for line in plan.stdout.splitlines()):
        sys.exit(f"Installing {', '.join(packages)} would remove packages; please do it yourself.")
    subprocess.run(install, check=True, stdout=sys.stderr)


def _obtain_binaries() -> None:
    from hanbae.cli import narration, sandbox
    from hanbae.sandbox import binaries

    binaries.obtain(progress=sandbox.Narrated(narration.Narration()))


def _obtain_peer() -> None:
    """The helm that rendering is compared with; a build within a test would be ended by the test's timeout."""
    from hanbae.testing import peers

    peers.program(peers.HELM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
