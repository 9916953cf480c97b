"""``./dev test``: picks the tests, and obtains what they stand on before pytest hides the progress.

Where nothing has been built yet, that takes a quarter of an hour; the tests that need nothing of it run meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

TIERS = ("unit", "typing", "security", "api", "commands", "e2e", "crash")
_NEED_BINARIES = {"security", "api", "commands", "e2e", "crash"}
_OBTAIN = "--obtain"
_BUILDING = "HANBAE_TESTS_BUILDING"
_PDEATHSIG = 1
_PROGRAMS = {"git": "git", "strace": "strace"}
"""Programs that the tests call and the sandbox does not bring, with their Debian packages."""


def main(arguments: list[str]) -> None:
    """Run the tiers that are named first, or all but ``crash``; the rest goes to pytest."""
    if arguments == [_OBTAIN]:
        _end_with_parent()
        obtain()
        return
    here = Path(__file__).parent
    named = []
    while arguments and arguments[0] in TIERS:
        named.append(arguments.pop(0))
    chosen = [tier for tier in TIERS if (tier in named if named else tier != "crash")]
    if _NEED_BINARIES & set(chosen):
        _install_programs()
        if chosen[0] in _NEED_BINARIES:
            obtain()
        else:
            _begin_to_obtain()
    folders = [str(here / tier) for tier in chosen if (here / tier).is_dir()]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *folders, *arguments])  # noqa: S606


def _begin_to_obtain() -> None:
    """Build meanwhile; the first test that needs what is built waits for it (conftest.py)."""
    from hanbae.sandbox import caching

    with (caching.private(caching.root() / "logs") / "tests.log").open("w") as said:
        building = subprocess.Popen(
            [sys.executable, "-m", "tests.run", _OBTAIN],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    # This process becomes pytest, and the build stays its child.
    os.environ[_BUILDING] = f"{building.pid} {said.name}"


def wait_for_building() -> None:
    """Tell what the build that runs meanwhile says, until it has ended, however that ends."""
    pid, _, path = os.environ.pop(_BUILDING, "").partition(" ")
    if not pid:
        return
    with Path(path).open(encoding="utf-8") as said:
        ended = 0
        while not ended:
            ended, _ = os.waitpid(int(pid), os.WNOHANG)
            sys.stderr.write(said.read())
            sys.stderr.flush()
            time.sleep(0 if ended else 0.5)


def _end_with_parent() -> None:
    """Have the build end as by Ctrl-C when the tests do, however they do."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def stands_on_binaries(test: Path) -> bool:
    """Whether a test is of a tier that needs what is built."""
    return any(test.is_relative_to(Path(__file__).parent / tier) for tier in _NEED_BINARIES)


def obtain() -> None:
    """Build what is not there, or wait for the process that is building it.

    The helm that rendering is compared with is among it: a build within a test would be ended by the test's timeout.
    """
    from tests.support import peers

    from hanbae.cli import sandbox
    from hanbae.cli.text import catalogue, narration
    from hanbae.sandbox import binaries

    catalogue.speak(catalogue.preferred(os.environ.get("HANBAE_LANG"), Path()))
    binaries.obtain(progress=sandbox.Narrated(narration.Narration()))
    peers.program(peers.HELM)


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


if __name__ == "__main__":
    main(sys.argv[1:])
