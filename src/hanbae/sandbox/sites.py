"""Everything that the parts of one sandbox share, and what a daemon is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hanbae import errors, patterns
from hanbae.sandbox import binaries, calling, folders, identities, namespaces, passwords, probing

#: Go programs look for garbage when their heap is five times what they need: a seventh of the API server's and of Argo
#: CD's work is saved. What that costs in memory has an end: an eighth of the machine's, within these bytes. A server
#: that needs most of its bound would do little but look for garbage.
_GARBAGE: Final = "400"
_LEAST_BOUND: Final = 768 << 20
_LARGEST_BOUND: Final = 2 << 30
#: Where a container reads its limit: cgroups of version 2, and of version 1.
_CONTAINER_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# --force-conflicts takes back what others have changed since, which is how applying mends. Without validation
# kubectl needs no schemas, whose fetching costs half a second of CPU; the objects are our own.
_APPLY: Final = ("apply", "--server-side", "--force-conflicts", "--validate=false")
#: What kubectl calls an API server that has not enough time, or cannot answer yet.
_OVERLOADED: Final = patterns.lazy(
    r"\((?:Timeout|ServerTimeout|TooManyRequests|ServiceUnavailable)\)|etcdserver: "
)
_ATTEMPTS: Final = 4
_PAUSE: Final = 0.5
"""Seconds after the first attempt; one by one it takes that much longer."""


@dataclass(frozen=True)
class Site:
    """One sandbox while it is built.

    Attributes:
        folder: Its folder.
        identity: Its names and addresses.
        programs: What it runs.
        passwords: What its registry, PostgreSQL and Argo CD ask for.
        namespaces: Its process 1.
    """

    folder: folders.Folder
    identity: identities.Identity
    programs: binaries.Binaries
    passwords: passwords.Passwords
    namespaces: namespaces.Namespaces

    @property
    def api(self) -> probing.Api:
        """The API server, read as the administrator."""
        return probing.Api(self.identity.inner, self.folder.pki, self.namespaces.born)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process inside: nothing of the caller's own comes along.

        Args:
            more: Added variables.
        """
        search = [str(self.programs.bin), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin"]
        return {
            "PATH": ":".join([*search, "/usr/bin", "/sbin", "/bin"]),
            "LD_LIBRARY_PATH": str(self.programs.libraries),
            "XTABLES_LIBDIR": str(self.programs.libraries / "xtables"),
            "HOME": str(self.folder.root / "home"),
            "LANG": "C.UTF-8",
            "GOGC": _GARBAGE,
            "GOMEMLIMIT": str(_memory_bound()),
            **more,
        }

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig as it was made; people change theirs with kubectl in the sandbox's shell."""
        return self.folder.pki / "admin.kubeconfig"

    def kubectl(
        self, *arguments: str, stdin: bytes | None = None, deadline_s: float = 120
    ) -> bytes:
        """Run kubectl as the administrator and return its standard output.

        Raises:
            errors.Failed: It failed.
        """
        command = [str(self.programs.path("kubectl")), *arguments]
        environment = self.environment(KUBECONFIG=str(self.kubeconfig))
        return calling.run(command, environment=environment, stdin=stdin, deadline_s=deadline_s)

    def apply(self, *arguments: str, stdin: bytes | None = None) -> None:
        """Apply objects server-side as the administrator, which changes nothing where they are applied already.

        An API server that comes up on a busy machine may run out of time for a request; it is asked again.

        Raises:
            errors.Failed: It failed, for another reason or again and again.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self.kubectl(*_APPLY, *arguments, stdin=stdin)
            except errors.Failed as failure:
                if attempt == _ATTEMPTS or not _OVERLOADED.search(failure.text.facts["output"]):
                    raise
                time.sleep(attempt * _PAUSE)
            else:
                return


def _memory_bound() -> int:
    """Bytes that a Go program may use before it looks for garbage more often."""
    return min(max(_memory() // 8, _LEAST_BOUND), _LARGEST_BOUND)


def _memory() -> int:
    """Bytes of memory of the machine, or of the container that this runs in."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CONTAINER_LIMITS:
        with contextlib.suppress(OSError):
            limit = path.read_text(encoding="ascii").strip()
            # No limit is "max" on version 2, and a number larger than any machine's memory on version 1.
            sizes += [int(limit)] if limit.isdecimal() else []
    return min(sizes)


@dataclass(frozen=True)
class Daemon:
    """A process that a sandbox needs.

    Attributes:
        name: The component.
        command: The program and its arguments.
        environment: Its whole environment.
        ready: Says why it is not ready yet; empty when it is. Runs in the sandbox's network namespace.
        files: Its configuration files.
        deadline_s: Seconds after which it should be ready, on a slow machine.
        restarts_with: A daemon that its part needs; this one is started again where it began before that one did. Empty
            for none.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Callable[[], str]
    files: Mapping[Path, str] = field(default_factory=dict)
    deadline_s: float = 90.0
    restarts_with: str = ""

    @property
    def mark(self) -> str:
        """Changes with everything that the process was started with, its program included."""
        program = str(Path(self.command[0]).resolve())
        files = {str(path): content for path, content in self.files.items()}
        described = [program, self.command, dict(self.environment), files]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
