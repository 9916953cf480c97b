"""Where a sandbox keeps what it knows: one folder of its own, and nothing anywhere else.

``${XDG_STATE_HOME:-~/.local/state}/hanbae/sandbox/<name>/`` has mode 0700: it holds keys and passwords.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hanbae import errors, files, patterns
from hanbae.sandbox import caching

#: A sandbox's name becomes part of host, node and cgroup names, which set the shortest common rule.
_NAME: Final = patterns.lazy(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")


def home() -> Path:
    """The folder of all sandboxes of this user, made if missing.

    Raises:
        errors.Refused: It belongs to another user, or others may write to it.
    """
    # The XDG specification: a relative path is invalid and to be ignored.
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    base = configured if configured.is_absolute() else Path.home() / ".local" / "state"
    base.mkdir(parents=True, exist_ok=True)
    caching.private(base / "hanbae")
    return caching.private(base / "hanbae" / "sandbox")


def of(name: str) -> Folder:
    """The folder of the sandbox `name`; it need not exist.

    Raises:
        errors.WrongUse: The name cannot be a host name.
    """
    if not _NAME.fullmatch(name):
        raise errors.WrongUse("sandbox.name-invalid", name=name)
    return Folder(home() / name)


def every() -> list[Folder]:
    """The folders of all sandboxes that exist, running or not."""
    return [Folder(path) for path in sorted(home().iterdir()) if _NAME.fullmatch(path.name)]


_REMOVALS: Final = 5
"""How often a folder is emptied in which others still make files."""


@dataclass(frozen=True)
class Folder:
    """One sandbox's folder.

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def name(self) -> str:
        """The sandbox's name."""
        return self.root.name

    @property
    def logs(self) -> Path:
        """One log per component."""
        return self.root / "logs"

    @property
    def identity(self) -> Path:
        """Names and addresses; written first, so whoever has it can clean up."""
        return self.root / "identity.json"

    @property
    def passwords(self) -> Path:
        """The generated passwords, mode 0600."""
        return self.root / "passwords.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for people."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys, certificates and the components' kubeconfigs."""
        return self.root / "pki"

    @property
    def etc(self) -> Path:
        """Configuration files of the components."""
        return self.root / "etc"

    @property
    def images(self) -> Path:
        """OCI tars of the sandbox's own images."""
        return self.root / "images"

    @property
    def git(self) -> Path:
        """Bare repositories that Argo CD reads over ``file://``."""
        return self.root / "git"

    @property
    def ready(self) -> Path:
        """There when everything has been Ready; says of which build."""
        return self.root / "ready.json"

    @property
    def life(self) -> Path:
        """Locked by process 1 for as long as it lives; beside the folder, like every lock."""
        return self.root.parent / f".{self.name}.life"

    def make(self) -> None:
        """Make the folder and those of its parts that are always there."""
        caching.private(self.root)
        for part in (self.logs, self.pki, self.etc, self.images, self.git):
            part.mkdir(mode=0o700, exist_ok=True)

    def remove(self, *, keep_logs: bool = False) -> None:
        """Remove everything, whatever others still write or remove meanwhile: a deployment may have its history here.

        Args:
            keep_logs: Leave :attr:`logs`, and so the folder.

        Raises:
            OSError: Something cannot be removed, or is made anew each time.
        """
        # The identity goes last: as long as it is there, an interrupted removal is found and finished. What says that
        # the sandbox is whole goes first, so that nobody repairs what is left of it.
        order = {self.ready: -1, self.identity: 1}
        for retries in reversed(range(_REMOVALS)):
            for path in sorted(self.root.iterdir(), key=lambda path: order.get(path, 0)):
                if not keep_logs or path != self.logs:
                    _remove(path)
            if keep_logs:
                return
            try:
                self.root.rmdir()
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or not retries:
                    raise
            else:
                return

    @contextmanager
    def locked(self, waiting: Callable[[], None], *, deadline_s: float = 600) -> Iterator[None]:
        """Exclude every other ``up`` and ``down`` of this sandbox.

        The lock lies beside the folder, because ``down`` removes the folder, and it is the kernel's: it ends with
        the process that holds it.

        Args:
            waiting: Called once if somebody else has it.
            deadline_s: Seconds to wait for it.

        Raises:
            errors.Refused: Somebody else had it for all that time.
        """
        with (self.root.parent / f".{self.name}.lock").open("a") as file:
            end = time.monotonic() + deadline_s
            notified = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not notified:
                        waiting()
                        notified = True
                    if time.monotonic() > end:
                        raise errors.Refused("sandbox.locked", name=self.name) from None
                    time.sleep(0.2)  # flock has no deadline of its own
            yield


def _remove(path: Path) -> None:
    """Remove a file or a folder that may vanish meanwhile."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    # `onexc` came with Python 3.12, and 3.11 is supported.
    shutil.rmtree(path, onerror=_unless_gone)


def _unless_gone(
    _function: object, _path: str, failure: tuple[object, BaseException, object]
) -> None:
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]


def write(path: Path, content: bytes | str, *, mode: int = 0o600) -> bool:
    """Write a file atomically, unless it already has this content.

    Returns:
        True if the file was written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
            return False
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(path, data, mode=mode)
    return True
