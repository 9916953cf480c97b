"""A real PostgreSQL server for tests, from the sandbox's binaries, or Debian's where it is to speak TLS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import polling, ports
from tests.support.registries import Quiet

PASSWORD: Final = "c4n4ry-of-the-database"
_DEBIANS: Final = Path("/usr/lib/postgresql")


def _sandboxs() -> tuple[Path, dict[str, str]]:
    """Where the sandbox's PostgreSQL is, and the environment that its programs need."""
    from hanbae.sandbox import binaries

    programs = binaries.obtain(progress=Quiet())
    prefix = programs.postgres
    libraries = {"LD_LIBRARY_PATH": f"{prefix / 'lib'}:{programs.postgres_libraries}"}
    return prefix, programs.environment() | libraries


def _debians() -> tuple[Path, dict[str, str]]:
    """The same of Debian's PostgreSQL, because the sandbox's is built without TLS."""
    return max(_DEBIANS.iterdir(), key=lambda version: int(version.name)), {}


@contextmanager
def running(
    folder: Path, *, durable: bool = False, speaks_tls: bool = False, **settings: str
) -> Iterator[str]:
    """The URL of a server on this machine.

    Args:
        folder: Where it keeps everything.
        durable: Whether a commit is on the disk, which tests need not wait for.
        speaks_tls: Whether it is built with TLS; the settings then say with which certificate.
        settings: Settings of the server, such as ``archive_mode="on"``.
    """
    prefix, environment = _debians() if speaks_tls else _sandboxs()
    environment |= {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C"}
    # PostgreSQL does not run as root; in a user namespace of its own it is somebody else with root's files.
    somebody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    words = [
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        "--pwfile",
        str(secret),
        "-E",
        "UTF8",
    ]
    _run([*somebody, str(prefix / "bin" / "initdb"), *words, "--no-sync"], environment)
    port = ports.reserve()
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), *([] if durable else ["-F"])]
    options += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*somebody, str(prefix / "bin" / "postgres"), "-D", str(data), *options],
            env=environment,
            stdout=log,
            stderr=log,
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        return b"ready to accept" in (folder / "log").read_bytes()

    try:
        polling.until(answers, within=60, state=(folder / "log").read_text)
        yield f"postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(30)


def _run(words: list[str], environment: dict[str, str]) -> None:
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr + ended.stdout
