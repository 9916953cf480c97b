"""A real registry: distribution itself, with a password."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import bcrypt
from tests.support import polling, ports

from hanbae import masking, wording
from hanbae.images import credentials

USER: Final = "shop"
PASSWORD: Final = "c4n4ry:p@ss"


class Quiet:
    """Follows the building of the binaries, which tests/run.py has shown already."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...

    def finished(self, component: str, seconds: float, *, cached: bool) -> None: ...

    def note(self, text: wording.Text) -> None: ...


def program() -> str:
    """The registry's program, from the search path or as the sandbox builds it."""
    path = shutil.which("registry")
    if path is None:
        from hanbae.sandbox import binaries

        path = str(binaries.obtain(progress=Quiet()).path("registry"))
    return path


def login(server: str, password: str = PASSWORD) -> credentials.Credentials:
    """Credentials that the registry takes, unless another password is named."""
    return credentials.Credentials(server, USER, masking.Masked(password.encode()))


@contextmanager
def running(
    folder: Path, *, host: str = "127.0.0.1", challenge: str | None = None
) -> Iterator[str]:
    """The address of a registry on this machine.

    Args:
        folder: Where it keeps its images.
        host: The machine's address at which it is reached.
        challenge: How it has people log in, in the words of its configuration; by default with a password.
    """
    address = f"{host}:{ports.reserve(host)}"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
    password = f"htpasswd: {{realm: shop, path: {folder}/htpasswd}}"
    (folder / "config.yml").write_text(f"""\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "{address}", secret: x}}
auth: {{{challenge or password}}}
""")
    with (folder / "log").open("wb") as log:
        words = [program(), "serve", str(folder / "config.yml")]
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        _await(address, process, folder / "log")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, int(port))) == 0

    polling.until(answers, within=20, state=log.read_text)
