"""Building one component of the sandbox with Go, from the pins in this package.

``-mod=readonly`` together with the ``go.sum`` files and Go's checksum database mean that what is built is
what was pinned, or nothing.
A build that was interrupted goes on where it was: finished components are in our cache, and what Go had
compiled is in Go's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Sequence
from pathlib import Path

from hanbae import errors
from hanbae.sandbox import golang, pins

#: The folders with go.mod, go.sum and sources; package data, so they are there in an installed wheel.
MODULES = Path(__file__).parent / "modules"
_PACKAGE = Path(__file__).parents[1]

#: How long Go may take to end after SIGINT before it is killed, in seconds.
_PATIENCE = 5.0
_USEFUL_LINES = 15


def digest(component: pins.Component, go: golang.Go, modules: Path = MODULES) -> str:
    """What the built files depend on, as 16 hexadecimal digits: the key in the cache.

    Args:
        component: What is built.
        go: What it is built with.
        modules: Has the component's folder.
    """
    hashed = hashlib.sha256()
    for path in sorted(sources(component, modules).iterdir()):
        content = path.read_bytes()
        # With names and lengths, so that no two sets of files are hashed as the same bytes.
        hashed.update(f"{path.name} {len(content)}\n".encode() + content)
    # Seconds only make estimates; of the room, what is in it counts.
    described = dataclasses.asdict(dataclasses.replace(component, seconds=0.0))
    del described["room"]
    recipe = [described, _flags(component), go.version, os.uname().machine]
    hashed.update(json.dumps(recipe, sort_keys=True).encode())
    return hashed.hexdigest()[:16]


def build(
    component: pins.Component, go: golang.Go, into: Path, log: Path, modules: Path = MODULES
) -> None:
    """Build the component's programs into ``into/bin`` and copy its pieces beside them.

    Args:
        component: What to build.
        go: What to build it with.
        into: An empty folder.
        log: Where everything that Go says is written; an older log is replaced.
        modules: Has the component's folder.

    Raises:
        errors.Failed: Go failed; the text has the last useful lines and the log's place.
    """
    (into / "bin").mkdir()
    packages = [program.package for program in component.programs]
    # With several packages -o names a folder and Go links one program while it compiles another.
    # With one it names the file, which need not be called as the package is.
    output = into / "bin" / ("" if len(packages) > 1 else component.programs[0].name)
    command = [
        str(go.path),
        "build",
        *_flags(component),
        "-o",
        f"{output}{os.sep if len(packages) > 1 else ''}",
        *packages,
    ]
    with log.open("wb") as file:
        status = run(command, sources(component, modules), file.fileno())
    if status != 0:
        raise errors.Failed(
            "sandbox.build-failed",
            component=component.name,
            version=component.version,
            lines=useful(log.read_text(errors="replace")),
            log=str(log),
        )
    if component.pieces:
        module = _module_folder(component, go, modules)
        for piece in component.pieces:
            _copy(module / piece.source, into / piece.target, executable=piece.executable)


def sources(component: pins.Component, modules: Path = MODULES) -> Path:
    """The folder with a component's ``go.mod``.

    Args:
        component: The component.
        modules: Has its folder, unless it has a room of its own.
    """
    return _PACKAGE / component.room if component.room else modules / component.name


def useful(text: str) -> str:
    """The last lines of Go's output that say something: not the downloads."""
    lines = [line for line in text.splitlines() if line and not line.startswith("go: downloading")]
    return "\n".join(lines[-_USEFUL_LINES:])


@contextlib.contextmanager
def fetching(
    component: pins.Component, go: golang.Go, modules: Path = MODULES
) -> Generator[None, None, None]:
    """Download the modules that a component is built from while something else is done.

    A build begins with nothing but that, and leaves the processors idle meanwhile. What cannot be downloaded is told
    by the build, which tries again.

    Args:
        component: What is built next.
        go: What it is built with.
        modules: Has the component's folder.
    """
    packages = [program.package for program in component.programs]
    command = [str(go.path), "list", "-mod=readonly", "-deps", *_tags(component), *packages]
    process = _started(command, sources(component, modules), subprocess.DEVNULL)
    try:
        yield
        process.wait()
    finally:
        if process.poll() is None:
            _end(process)


def _flags(component: pins.Component) -> list[str]:
    linked = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in component.variables)])
    return [*golang.FLAGS, f"-ldflags={linked}", *_tags(component)]


def _tags(component: pins.Component) -> list[str]:
    return [f"-tags={','.join(component.tags)}"] if component.tags else []


def run(command: Sequence[str], folder: Path, output: int) -> int:
    """Run in a process group of its own, which ends when this function does, however it does.

    An exception (Ctrl-C) ends the group here; if this process is killed, setpriv has had the kernel
    promise an interrupt to Go, which then starts no further compilers.
    """
    process = _started(command, folder, output)
    try:
        return process.wait()
    except BaseException:
        _end(process)
        raise


def _started(command: Sequence[str], folder: Path, output: int) -> subprocess.Popen[bytes]:
    setpriv = shutil.which("setpriv")
    guarded = [setpriv, "--pdeathsig", "INT", *command] if setpriv else [*command]
    with errors.starting(guarded[0]):
        return subprocess.Popen(
            guarded,
            cwd=folder,
            env=golang.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A terminal's Ctrl-C then reaches us alone, and the compilers are ended together with Go.
            process_group=0,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the process group, and kill what of it is left after a while."""
    for sent in (signal.SIGINT, signal.SIGKILL):
        try:
            # Compilers may outlive Go, so SIGKILL is sent to the group even where Go has heeded SIGINT.
            os.killpg(process.pid, sent)
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def _module_folder(component: pins.Component, go: golang.Go, modules: Path) -> Path:
    """Where the module's files are in Go's module cache; the build has put them there."""
    with errors.starting(str(go.path)):
        answer = subprocess.run(
            [go.path, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", component.module],
            cwd=sources(component, modules),
            env=golang.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    folder = answer.stdout.strip()
    if answer.returncode != 0 or not folder:
        raise errors.Failed(
            "sandbox.module-missing", module=component.module, lines=useful(answer.stderr)
        )
    return Path(folder)


def _copy(source: Path, target: Path, *, executable: bool) -> None:
    """Copy a file or a folder with ordinary modes: everything in the module cache is read-only."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for entry in source.iterdir():
            _copy(entry, target / entry.name, executable=executable)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if executable else 0o644)
