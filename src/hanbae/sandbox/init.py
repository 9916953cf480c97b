"""Process 1 of a sandbox: it makes the inside of the namespaces and is the parent of everything there.

When it ends, the kernel ends every process of the sandbox, and with them the mounts, interfaces and rules;
that is what makes a sandbox removable with certainty, whatever happened to it.

It is run by path (``python -I -S init.py FOLDER LOCK``) and imports only the standard library, so that it needs
nothing of the environment that started it.
It does as it is told over a socket in the sandbox's folder: one JSON document per connection, answered by one.
It judges nothing: what must run, and whether it is ready, is decided outside.

Until it reads ``go`` from standard input it ends when that is closed: an ``up`` that is killed while the
namespaces are young takes them with it.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

# mount(2)'s flags.
_BIND, _REC, _PRIVATE, _SHARED = 0x1000, 0x4000, 0x40000, 0x100000
# ioctl numbers and the flag of <net/if.h>.
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1

# Python's standard library has no mount(2).
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, *, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Call ``mount`` of the C library, with an error that names both ends."""
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"{source} on {target}")


def prepare(inside: dict[str, Any]) -> None:
    """Turn fresh namespaces into the sandbox's own machine.

    Args:
        inside: See :class:`hanbae.sandbox.pid1_start.Inside`, which writes it.
    """
    for member in inside["cgroups"]:
        Path(member).write_text("0")
    socket.sethostname(inside["hostname"])
    # What is mounted in here may not reach the machine, nor may what is mounted there later reach us.
    mount("none", "/", flags=_REC | _PRIVATE)
    handles = _hold(inside["keep"], [*inside["covers"], "/run"])
    # The sandbox's folder may itself be below /run, which is covered next: a handle still leads to it.
    folder = os.open(inside["folder"], os.O_PATH | os.O_DIRECTORY)
    mount("tmpfs", "/run", kind="tmpfs", data="mode=755")
    for directory in ("/run/netns", "/run/lock"):
        Path(directory).mkdir()
    home = inside["mountpoint"]
    Path(home).mkdir(parents=True)
    mount(f"/proc/self/fd/{folder}", home, flags=_BIND)
    os.close(folder)
    # A peer group of its own: the kubelet's mounts must reach its pods, but not the folder's other name.
    mount("none", home, flags=_PRIVATE)
    mount("none", home, flags=_SHARED)
    for target, source in inside["covers"].items():
        if Path(target).is_dir():
            mount(f"{home}/{source}", target, flags=_BIND)
    _release(handles)
    for target, source in inside["files"].items():
        _cover_file(f"{home}/{source}", os.path.realpath(target))
    for name, value in inside["sysctls"].items():
        Path("/proc/sys", name).write_text(value)
    _raise_loopback()


def _cover_file(source: str, target: str) -> None:
    if target.startswith("/run/"):  # where /etc/resolv.conf often leads, and empty by now
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    if os.path.lexists(target):
        mount(source, target, flags=_BIND)


def _hold(keep: list[str], covered: list[str]) -> dict[str, int]:
    """Open the folders that a cover would hide, so that they can be put on top of it."""
    return {
        path: os.open(path, os.O_PATH | os.O_DIRECTORY)
        for path in keep
        if any(path.startswith(f"{cover}/") for cover in covered)
    }


def _release(handles: dict[str, int]) -> None:
    for path, handle in handles.items():
        Path(path).mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{handle}", path, flags=_BIND | _REC)
        os.close(handle)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # struct ifreq of <net/if.h>: a name of 16 bytes, then the interface's flags.
        request = array.array("B", struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(control, _GET_FLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        struct.pack_into("h", request, 16, flags | _UP)
        fcntl.ioctl(control, _SET_FLAGS, request)


class Child:
    """A process that was started on request; it is remembered after its end."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.mark = str(request.get("mark", ""))
        self.log = str(request["log"])
        self.started = time.time()
        # Which of two was started first, a clock that is set back would tell wrongly.
        self.order = time.monotonic()
        self.code: int | None = None
        self.waiting: list[socket.socket] = []
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        handle = os.open(self.log, flags | os.O_CLOEXEC, 0o600)
        try:
            # Where this run's words begin: a failure is explained by them, not by an older run's.
            self.offset = os.fstat(handle).st_size
            self.pid = os.posix_spawn(
                request["argv"][0],
                request["argv"],
                request["env"],
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, handle, 1),
                    (os.POSIX_SPAWN_DUP2, handle, 2),
                ],
                setsid=True,
                # Python ignores these two signals, and an ignored signal stays ignored in a new program.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        finally:
            os.close(handle)

    def describe(self) -> dict[str, Any]:
        """What the outside may know of it."""
        return {
            "pid": self.pid,
            "running": self.code is None,
            "code": self.code,
            "mark": self.mark,
            "started": self.started,
            "order": self.order,
            "log": self.log,
            "offset": self.offset,
        }


class Init:
    """Serves the control socket, starts children and reaps every orphan.

    Args:
        folder: The sandbox's folder.
    """

    def __init__(self, folder: str) -> None:
        self.children: dict[str, Child] = {}
        self.selector = selectors.DefaultSelector()
        self.born = time.time()
        self.kept = False
        self.ready = False
        self.fault = ""
        self.listener = _listen(folder)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self.parent)
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        # Python writes to the wake-up descriptor only for signals that have a handler; the work
        # itself is done by `reap`.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(wake_read, selectors.EVENT_READ, self.reap)

    def parent(self, handle: Any) -> None:
        """Standard input spoke or ended."""
        word = os.read(handle, 64)
        self.selector.unregister(handle)
        if not word.startswith(b"go"):
            os._exit(1)
        self.kept = True

    def reap(self, handle: Any) -> None:
        """Collect every process that has ended, ours and orphans."""
        # Emptied before looking: a child that ends during the look then wakes the loop once more.
        with contextlib.suppress(BlockingIOError):
            os.read(handle, 4096)
        by_pid = {child.pid: child for child in self.children.values() if child.code is None}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = by_pid.get(pid)
            if child is not None:
                child.code = os.waitstatus_to_exitcode(status)
                for connection in child.waiting:
                    _answer(connection, child.describe())
                child.waiting.clear()

    def accept(self, _: Any) -> None:
        """One request: read it, act, answer."""
        connection, _address = self.listener.accept()
        # Requests are served one by one: who connects and says nothing holds up the others for that long.
        connection.settimeout(5)
        try:
            with connection.makefile("rb") as file:
                request = json.loads(file.readline() or b"null")
            if request is None:  # somebody only looked whether we live
                connection.close()
                return
            answer = self.act(request, connection)
        except Exception as error:  # noqa: BLE001  process 1 must not die of a bad request
            answer = {"error": f"{type(error).__name__}: {error}"}
        if answer is not None:
            _answer(connection, answer)

    def act(self, request: dict[str, Any], connection: socket.socket) -> dict[str, Any] | None:
        """Do what a request asks; None when the answer comes later."""
        if request["do"] == "status":
            children = {name: child.describe() for name, child in self.children.items()}
            return {
                "born": self.born,
                "kept": self.kept,
                "ready": self.ready,
                "fault": self.fault,
                "children": children,
            }
        name = request["name"]
        child = self.children.get(name)
        running = child is not None and child.code is None
        if request["do"] == "start":
            if not running:
                child = self.children[name] = Child(request)
            assert child is not None  # noqa: S101  for mypy: it was just made
            return child.describe()
        if request["do"] == "stop":
            if child is None or not running:
                return {"running": False}
            # It has not been reaped, which only this thread does: its id cannot be another's by now.
            os.kill(child.pid, request.get("signal", signal.SIGTERM))
            child.waiting.append(connection)
            return None
        return {"error": f"unknown request {request['do']!r}"}

    def run(self) -> None:
        """Serve until killed."""
        while True:
            for key, _ in self.selector.select():
                key.data(key.fd)


def _listen(folder: str) -> socket.socket:
    # A socket's path may have 107 bytes only; relative to its folder it always fits.
    os.chdir(folder)
    Path("control").unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("control")
    Path("control").chmod(0o600)
    listener.listen(64)
    os.chdir("/")
    return listener


def _answer(connection: socket.socket, document: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(document).encode() + b"\n")
    except OSError:
        pass  # whoever asked has gone
    finally:
        connection.close()


def main() -> None:
    """Begin: first the socket, so that we can be found; then the inside; then serve."""
    os.umask(0o022)
    folder = sys.argv[1]
    # The lock that says that we live, even while nobody can reach us yet; no child may keep it.
    os.set_inheritable(int(sys.argv[2]), False)
    init = Init(folder)
    try:
        prepare(json.loads(Path(folder, "inside.json").read_bytes()))
        init.ready = True
    except Exception as error:  # noqa: BLE001  told to whoever asks
        init.fault = f"{type(error).__name__}: {error}"
    init.run()


if __name__ == "__main__":
    main()
