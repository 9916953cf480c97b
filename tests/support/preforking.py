"""hanbae as a child process whose modules are imported already: commands of tests begin sooner.

Two thirds of the processor time of a short command go into importing, and the tests run thousands. A process that has
imported everything and done nothing else forks for each of them. What is forked is a process with an environment, a
folder, streams and an exit code of its own, and has no thread; only its modules are not read again.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import resource
import secrets
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import hanbae

_PDEATHSIG: Final = 1
_LONGEST: Final = 4 << 20
"""Bytes of a request: words and variables."""
_PATIENCE: Final = 10.0
"""Seconds in which whoever has asked for a command says which."""
_LIBRARIES: Final = ("jsonschema_rs", "pygit2", "yaml")
"""What hanbae imports only where it is needed; most commands need it."""
VARIABLE: Final = "HANBAE_TEST_FORKING"
"""Where the process that forks listens, if another one has started it for all."""
_address: str | None = None


def run(
    words: Sequence[str],
    *,
    directory: Path | None,
    environment: Mapping[str, str],
    memory: int | None = None,
) -> tuple[int, str, str]:
    """Run hanbae without a terminal and wait for its end.

    Args:
        words: The words after ``hanbae``.
        directory: Where it is started; None for this process's folder.
        environment: All of its variables.
        memory: Bytes of data that it may have; as many as this process if not given.

    Returns:
        Its exit code (negative for the signal that ended it), and what it wrote to stdout and to stderr.
    """
    request = [list(words), str(directory or Path.cwd()), dict(environment), memory]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(f"\0{os.environ.get(VARIABLE) or listening()}")
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        try:
            socket.send_fds(connection, [b"."], [out_end, err_end])
        finally:
            os.close(out_end)
            os.close(err_end)
        connection.sendall(json.dumps(request).encode() + b"\n")
        out_text, err_text = (text.decode() for text in _read(out, err))
        code = connection.makefile("rb").readline()
    return int(code), out_text, err_text


def _read(*ends: int) -> list[bytes]:
    """Everything that is written into pipes until all of their writers have closed them."""
    texts = {end: bytearray() for end in ends}
    with selectors.DefaultSelector() as selector:
        for end in ends:
            selector.register(end, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                piece = os.read(key.fd, 1 << 16)
                texts[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return [bytes(text) for text in texts.values()]


def listening() -> str:
    """The name of the abstract socket of the process that forks, which lives as long as this one."""
    global _address  # noqa: PLW0603  one for a process
    if _address is None:
        name = f"hanbae-tests-{secrets.token_hex(16)}"
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.preforking", name, str(os.getpid())],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                message = "the process that forks commands has ended"
                raise RuntimeError(message)
            process.returncode = 0  # it is not waited for: it ends with this process
        _address = name
    return _address


def _serve(name: str, parent: int) -> NoReturn:
    """Fork for each connection; the process that was forked becomes the command."""
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    for module in pkgutil.walk_packages(hanbae.__path__, "hanbae."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    for library in _LIBRARIES:
        importlib.import_module(library)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        selectors.DefaultSelector() as selector,
    ):
        listener.bind(f"\0{name}")
        listener.listen(16)
        selector.register(listener, selectors.EVENT_READ)
        os.write(1, b"ready\n")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        gc.collect()
        gc.freeze()
        while True:
            # One at a time: what is done about it may close what the next one is about.
            key, _ = selector.select()[0]
            if key.fileobj is listener:
                connection, _ = listener.accept()
                _begin(connection, selector)
            elif key.fd == key.data.handle:
                _conclude(key.data, selector)
            else:  # nobody waits for it any more
                selector.unregister(key.fileobj)
                signal.pidfd_send_signal(key.data.handle, signal.SIGKILL)


class _Command(NamedTuple):
    """A command that goes on: its process, what tells of its end, and who waits for that."""

    process: int
    handle: int
    connection: socket.socket


def _begin(connection: socket.socket, selector: selectors.BaseSelector) -> None:
    """Fork for a connection; the process that was forked becomes the command."""
    ends: list[int] = []
    connection.settimeout(_PATIENCE)  # who asks and says no more must not hold up the others
    try:
        _, ends, _, _ = socket.recv_fds(connection, 1, 2)
        with connection.makefile("rb") as stream:
            words, directory, environment, memory = json.loads(stream.readline(_LONGEST))
    except (OSError, ValueError):  # whoever asked has ended meanwhile
        for end in (connection.detach(), *ends):
            os.close(end)
        return
    connection.settimeout(None)
    server = os.getpid()
    process = os.fork()
    if process == 0:
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != server:
            os._exit(1)
        _become(words, directory, environment, memory, ends)
    for end in ends:
        os.close(end)
    command = _Command(process, os.pidfd_open(process), connection)
    selector.register(command.handle, selectors.EVENT_READ, command)
    selector.register(connection, selectors.EVENT_READ, command)


def _conclude(command: _Command, selector: selectors.BaseSelector) -> None:
    """Tell how a command has ended, if somebody still waits for it."""
    selector.unregister(command.handle)
    os.close(command.handle)
    _, status = os.waitpid(command.process, 0)
    with contextlib.suppress(KeyError):
        selector.unregister(command.connection)
    with command.connection, contextlib.suppress(OSError):
        command.connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(
    words: list[str],
    directory: str,
    environment: dict[str, str],
    memory: int | None,
    ends: list[int],
) -> NoReturn:
    """Run the command line in this process, as ``python -m hanbae`` would."""
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    import pygit2
    from pygit2 import enums

    for number, end in enumerate((os.open(os.devnull, os.O_RDONLY), *ends)):
        os.dup2(end, number)
    os.closerange(3, 1 << 10)
    # Python made its streams for what they led to then.
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = open(number, mode, 1 if number == 2 else -1, encoding="utf-8", closefd=False)  # noqa: SIM115  they end with us
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    # Where the user's configuration is, libgit2 has looked up when it was imported.
    for level in (enums.ConfigLevel.SYSTEM, enums.ConfigLevel.XDG, enums.ConfigLevel.GLOBAL):
        pygit2.option(enums.Option.SET_SEARCH_PATH, level, None)
    pygit2.option(enums.Option.SET_HOMEDIR, environment.get("HOME", ""))
    entry = importlib.import_module("hanbae.cli.entry")
    sys.argv = [str(Path(str(entry.__file__)).parents[1] / "__main__.py"), *words]
    code: object = 1
    try:
        entry.main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  what Python does with what nobody has caught
        sys.excepthook(*sys.exc_info())
    else:
        code = 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
