"""``./dev test``: picks the tests, builds what they stand on, and runs them in the order that uses the machine best.

All but the end-to-end tests run on every core. They follow: scenes side by side on one sandbox
(``tests/support/timetable.py``), then what needs the machine for itself, and once more what has failed.
Where nothing has been built yet, the build takes a quarter of an hour; tests that need none of it run meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TIERS = ("unit", "typing", "commands", "parity", "packaging", "security", "api", "e2e", "crash")
HERE = Path(__file__).parent
_NEED_BINARIES = {"security", "api", "commands", "parity", "packaging", "e2e", "crash"}
_SPREAD = ("typing", "packaging", "parity", "commands", "security", "api", "unit")
"""Tests that run on every core: the long ones first, so that the short ones fill the gaps at the end."""
_OBTAIN = "--obtain"
_PDEATHSIG = 1
_PROGRAMS = {
    "busybox": "busybox-static",
    "dockerd": "docker.io",
    "pg_ctlcluster": "postgresql",
} | {name: name for name in ("git", "strace", "zsh", "fish", "pgbouncer")}
"""Programs that the tests call and the sandbox does not bring, with their Debian packages."""


def main(arguments: list[str]) -> int:
    """Run the tiers that are named first, or all but ``crash``; the rest of the arguments goes to pytest.

    Returns:
        The exit code: 0 where everything passed, at least in the second run.
    """
    if arguments == [_OBTAIN]:
        _end_with_parent()
        obtain()
        return 0
    # conftest.py takes the rest of what is around away; this is read before it, by each of the pytest processes.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    named = []
    while arguments and arguments[0] in TIERS:
        named.append(arguments.pop(0))
    tiers = [tier for tier in TIERS if (tier in named if named else tier != "crash")]
    with tempfile.TemporaryDirectory(prefix="hanbae-tests-") as folder:
        return _run(tiers, arguments, Path(folder))


def _run(tiers: list[str], options: list[str], folder: Path) -> int:
    from tests.support import outcomes, runs

    session = runs.Session(folder, options)
    needing = [tier for tier in tiers if tier in _NEED_BINARIES]
    building = None
    if needing:
        _install_programs()
        if needing == tiers or _built():
            obtain()
        else:
            building = _begin_to_obtain()
    spread = [tier for tier in _SPREAD if tier in tiers]
    if building is not None:
        session.spread([HERE / tier for tier in spread if tier not in _NEED_BINARIES])
        if not session.goes_on:
            building.terminate()
        elif building.wait() != 0:
            return 1
        spread = [tier for tier in spread if tier in _NEED_BINARIES]
    session.spread([HERE / tier for tier in spread])
    if "e2e" in tiers and session.goes_on:
        session.scenes()
    session.alone([HERE / tier for tier in ("crash",) if tier in tiers])
    return outcomes.conclude(session.ledger, session.codes, session.phases)


def _built() -> bool:
    """Whether everything is built, so that waiting for it costs nothing."""
    from hanbae.sandbox import binaries

    return binaries.built()


def _begin_to_obtain() -> subprocess.Popen[bytes]:
    """Build meanwhile; what it says goes to stderr between the lines of the tests."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.run", _OBTAIN],
        cwd=HERE.parent,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )


def _end_with_parent() -> None:
    """Have the build end as by Ctrl-C when the tests do, however they do."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def stands_on_binaries(test: Path) -> bool:
    """Whether a test is of a tier that needs what is built."""
    return any(test.is_relative_to(HERE / tier) for tier in _NEED_BINARIES)


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
    peers.program(peers.COMPOSE)
    peers.program(peers.GITEA)


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
    sys.exit(main(sys.argv[1:]))
