"""A sandbox's process 1, seen from outside: finding it, asking it for things, ending it.

The one proof that a sandbox lives is that its process 1 answers on the socket in its folder; its process id is
the one that the kernel tells of the other end of that connection.
No pid file can be stale, and neither a crash nor a reboot needs to be recognised.
For the moment before it can answer there is a lock that it holds as long as it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hanbae import errors
from hanbae.sandbox import folders

#: Where the sandbox's folder is mounted inside: short, because sockets' paths may have 107 bytes only.
HOME: Final = "/run/hanbae"

_DEATH_S: Final = 30.0


@dataclass(frozen=True)
class Process:
    """A process inside, as process 1 tells of it.

    Attributes:
        name: The component.
        running: Whether it runs.
        pid: Its process id inside.
        code: Its exit code, negative for a signal; None while it runs.
        mark: What the starter marked it with.
        started: Seconds since the epoch.
        order: Which of two was started first, by seconds that never go back.
        log: Its log.
        offset: Where in the log this run begins.
    """

    name: str
    running: bool
    pid: int
    code: int | None
    mark: str
    started: float
    order: float
    log: Path
    offset: int

    def words(self, *, most: int = 16384) -> str:
        """The end of what this run has written to its log."""
        try:
            with self.log.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(self.offset, end - most))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


class Namespaces:
    """A living sandbox's process 1.

    Args:
        folder: The sandbox's folder.
    """

    def __init__(self, folder: folders.Folder) -> None:
        self._folder = folder

    @property
    def pid(self) -> int:
        """Process 1's id as the machine sees it.

        Raises:
            errors.Unreachable: There is none.
        """
        with self._connect() as connection:
            # struct ucred: the ids of process, user and group. The kernel gives the first one as
            # our own process namespace counts it.
            size = struct.calcsize("3i")
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid: int = struct.unpack("3i", credentials)[0]
        return pid

    def shows(self, path: Path) -> bool:
        """Whether a path of the machine is seen inside as well; as process 1 itself sees it.

        Args:
            path: Without symbolic links.

        Raises:
            errors.Unreachable: There is no process 1.
        """
        return Path(f"/proc/{self.pid}/root{path}").exists()

    @contextlib.contextmanager
    def network(self) -> Iterator[int]:
        """A handle of the network namespace, with which threads enter it whatever becomes of process 1.

        Raises:
            errors.Unreachable: There is no process 1.
        """
        try:
            handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise errors.Unreachable("sandbox.not-running", name=self._folder.name) from error
        try:
            yield handle
        finally:
            os.close(handle)

    def born(self) -> float:
        """When process 1 began, in seconds since the epoch."""
        return float(self.ask({"do": "status"}).get("born", 0.0))

    def alive(self) -> bool:
        """Whether process 1 answers."""
        try:
            self._connect().close()
        except errors.Unreachable:
            return False
        return True

    def settle(self) -> bool:
        """Whether process 1 lives, and will go on to.

        Only under the sandbox's lock. A starter that was killed may have left one that is still being born: it can not
        be reached yet, or it can and will end as soon as it notices. This waits until it has.

        Raises:
            errors.Failed: It did neither in time.
        """
        end = time.monotonic() + _DEATH_S
        with self._folder.life.open("a") as lock:
            while time.monotonic() < end:
                with contextlib.suppress(errors.Unreachable):
                    # A process 1 that an older hanbae has started does not tell it; it was kept.
                    if self.ask({"do": "status"}).get("kept", True):
                        return True
                    time.sleep(0.02)
                    continue
                # Who gets the lock knows that no process 1 lives, nor is being born.
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return False
                time.sleep(0.02)  # a lock can be waited for, but not together with a socket
        raise errors.Failed("sandbox.not-ending", name=self._folder.name)

    def ask(self, request: Mapping[str, Any], *, deadline_s: float = 10.0) -> dict[str, Any]:
        """Send one request to process 1 and return its answer.

        Raises:
            errors.Unreachable: It does not answer.
            errors.Failed: It could not do it.
        """
        with self._connect() as connection:
            connection.settimeout(deadline_s)
            try:
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as file:
                    answer = json.loads(file.readline() or b"null")
            except (OSError, ValueError) as error:
                raise errors.Unreachable("sandbox.not-answering", name=self._folder.name) from error
        if answer is None:
            raise errors.Unreachable("sandbox.not-answering", name=self._folder.name)
        if "error" in answer:
            raise errors.Failed(
                "sandbox.command-failed",
                command=str(request.get("name", "")),
                output=answer["error"],
            )
        decoded: dict[str, Any] = answer
        return decoded

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        mark: str,
    ) -> Process:
        """Start a process inside, unless one of this name runs already.

        Args:
            name: The component.
            command: An absolute path and arguments.
            environment: Its whole environment.
            log: What its output is appended to.
            mark: Remembered with it, to find out later whether it is the one that is wanted.
        """
        request = {
            "do": "start",
            "name": name,
            "argv": list(command),
            "env": dict(environment),
            "log": str(log),
            "mark": mark,
        }
        return _process(name, self.ask(request))

    def stop(self, name: str, *, patience_s: float = 10.0) -> None:
        """End a process: SIGTERM, and SIGKILL if it is still there after `patience_s`."""
        try:
            self.ask({"do": "stop", "name": name}, deadline_s=patience_s)
        # The answer comes when the process has ended, so none in time means that it does not heed SIGTERM.
        except errors.Unreachable:
            request = {"do": "stop", "name": name, "signal": int(signal.SIGKILL)}
            self.ask(request, deadline_s=patience_s)

    def processes(self) -> dict[str, Process]:
        """Everything that was started inside, by name, ended ones included."""
        children = self.ask({"do": "status"})["children"]
        return {name: _process(name, child) for name, child in children.items()}

    def entering(self, *, network_only: bool = False) -> list[str]:
        """The words to put before a command so that it runs inside."""
        pid = str(self.pid)
        if network_only:
            return ["nsenter", "--target", pid, "--net", "--"]
        return ["nsenter", "--target", pid, "--mount", "--net", "--pid", "--uts", "--ipc", "--"]

    def kill(self) -> None:
        """End process 1 and so everything inside; returns when it is gone.

        Raises:
            errors.Failed: The kernel did not end it in time.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except (errors.Unreachable, ProcessLookupError):
            return
        try:
            # Had it ended before the handle was taken, the id could have been another's by then. Its
            # answer shows that it has not.
            if not self.alive():
                return
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            ended, _, _ = select.select([handle], [], [], _DEATH_S)
            if not ended:
                raise errors.Failed("sandbox.not-ending", name=self._folder.name)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            # A socket's path may have 107 bytes only, and that of the state home may be longer:
            # through a handle of the folder it is short.
            place = os.open(self._folder.root, os.O_PATH | os.O_DIRECTORY)
            try:
                connection.connect(f"/proc/self/fd/{place}/control")
            finally:
                os.close(place)
        except OSError as error:
            connection.close()
            raise errors.Unreachable("sandbox.not-running", name=self._folder.name) from error
        return connection


def _process(name: str, child: dict[str, Any]) -> Process:
    return Process(
        name=name,
        running=child["running"],
        pid=child["pid"],
        code=child["code"],
        mark=child["mark"],
        started=child["started"],
        # A sandbox that an older hanbae has started tells dates alone.
        order=child.get("order", child["started"]),
        log=Path(child["log"]),
        offset=child["offset"],
    )
