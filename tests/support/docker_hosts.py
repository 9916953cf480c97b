"""A Docker of a test's own: a daemon with its folders, its socket and its network, and the images that are run on it.

The daemon has a network namespace of its own, so that what it does to iptables and to forwarding, and the ports that it
publishes, are nobody else's. No registry is asked: images are made of programs that are built or installed here.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import interrupting, peers

from hanbae.images import layouts
from hanbae.sandbox import binaries, service_images, system_images

_PATIENCE: Final = 60.0
_PROGRAMS: Final = ("docker", "dockerd", "containerd", "runc", "nsenter", "unshare", "ip")
_USER: Final = 65532
_POSTGRES: Final = """\
#!/bin/sh
set -eu
export PGDATA=/var/lib/postgresql/18/docker
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    busybox mkdir -p "$PGDATA"
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --pgdata="$PGDATA" --username=postgres --pwfile=/tmp/password --auth-host=scram-sha-256 \\
        --auth-local=trust --encoding=UTF8 --locale=C --no-sync
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
"""
"""What the official image does with POSTGRES_PASSWORD and its data, with the programs that the sandbox has."""


class NotHere(Exception):
    """Docker cannot run on this machine; why."""


@dataclass(frozen=True)
class Host:
    """A running daemon.

    Attributes:
        folder: Everything that it has.
        pid: Its process.
        environment: By which programs find it, and nothing of the user's own Docker.
    """

    folder: Path
    pid: int
    environment: Mapping[str, str]

    def run(
        self, words: Sequence[str], *, folder: Path | None = None, data: bytes = b"", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the daemon's network, where published ports are."""
        ended = subprocess.run(
            self.command(words),
            cwd=folder,
            env={**self.environment, **more},
            input=data,
            capture_output=True,
            check=False,
            timeout=300,
        )
        out, err = (stream.decode("utf-8", "replace") for stream in (ended.stdout, ended.stderr))
        return subprocess.CompletedProcess(ended.args, ended.returncode, out, err)

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line by which a program runs in the daemon's network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *words]

    def hanbae(self, root: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run hanbae on a repository."""
        return self.run([*program(root), *words], folder=root, **more)

    def docker(self, *words: str, data: bytes = b"") -> str:
        """Run Docker's own program."""
        ended = self.run(["docker", *words], data=data)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def load(self, name: str, image: layouts.Image) -> None:
        """Give the daemon an image."""
        self.docker("load", "--quiet", data=_archive(name, image))

    def reach(self, address: str) -> str:
        """What somebody gets who asks a published port over HTTP."""
        request = "import sys,urllib.request as u;print(u.urlopen(sys.argv[1],timeout=10).read().decode())"
        ended = self.run([sys.executable, "-c", request, f"http://{address}"])
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def program(root: Path) -> list[str]:
    """How hanbae is called on a repository."""
    return [sys.executable, "-c", interrupting.START, "--lang", "en", "-C", str(root)]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Host]:
    """A daemon, until the scope ends; it is ended by its process id, and what it mounted goes with its namespaces.

    Raises:
        NotHere: Docker cannot run here.
    """
    missing = [name for name in _PROGRAMS if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        raise NotHere(f"as root, with the package docker.io: {', '.join(missing) or 'not root'}")
    for name in ("data", "exec", "config/cli-plugins"):
        (folder / name).mkdir(parents=True)
    plugin = folder / "config/cli-plugins/docker-compose"
    plugin.symlink_to(peers.program(peers.COMPOSE))
    options = {
        "data-root": folder / "data", "exec-root": folder / "exec", "pidfile": folder / "pid",
        "host": f"unix://{folder}/socket", "bip": "10.213.7.1/24", "ip6tables": "false",
        "default-address-pool": "base=10.214.0.0/16,size=24", "userland-proxy": "true",
    }  # fmt: skip
    words = " ".join(f"--{name}='{value}'" for name, value in options.items())
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", f"ip link set lo up; exec dockerd {words}"],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))
    } | {"DOCKER_HOST": f"unix://{folder}/socket", "DOCKER_CONFIG": str(folder / "config")}  # fmt: skip
    host = Host(folder, process.pid, environment)
    try:
        _wait(host, process, log)
        yield host
    finally:
        _end(host, process)


def _wait(host: Host, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while host.run(["docker", "version"]).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            raise NotHere(log.read_text()[-2000:])
        time.sleep(0.2)


def _end(host: Host, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        names = host.run(["docker", "ps", "--quiet"]).stdout.split()
        if names:
            host.run(["docker", "kill", *names])
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _archive(name: str, image: layouts.Image) -> bytes:
    """An image in the form that ``docker load`` takes in every version."""
    stream = io.BytesIO()
    layers = [f"{number}/layer.tar" for number in range(len(image.layers))]
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": layers}]
    with tarfile.open(fileobj=stream, mode="w") as archive:
        parts = dict(zip(layers, (layer.data for layer in image.layers), strict=True))
        parts |= {"config.json": image.config, "manifest.json": json.dumps(manifest).encode()}
        for path, data in parts.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def postgresql(programs: binaries.Binaries) -> layouts.Image:
    """PostgreSQL 18 with the entry point that the official image has, as far as Compose uses it."""
    sandbox = system_images._postgresql(programs)
    own = [
        layouts.File("/entrypoint", _POSTGRES.encode(), mode=0o755),
        layouts.File("/var/lib/postgresql", mode=0o755, owner=_USER),
    ]
    config = json.loads(sandbox.config)["config"]
    return layouts.image([*sandbox.layers, layouts.layer(own)], config)


_GO: Final = """\
#!/bin/sh
set -eu
[ -f go.mod ]
while [ $# -gt 0 ]; do
    [ "$1" != -o ] || out=$2
    shift
done
mkdir -p "${out%/*}"
cp "/programs/${out##*/}" "$out"
"""


def golang(programs: binaries.Binaries, **built: Path) -> layouts.Image:
    """Stands in for Go's image where a Dockerfile is what is looked at: what it builds is there already.

    Args:
        programs: The sandbox's.
        built: Name of a program that ``go build -o`` is asked for → the program.
    """
    files = [
        layouts.File("/bin/busybox", programs.path("busybox"), mode=0o755),
        *(layouts.File(f"/bin/{name}", link="busybox") for name in ("cp", "mkdir", "sh")),
        layouts.File("/usr/local/go/bin/go", _GO.encode(), mode=0o755),
        *(
            layouts.File(f"/programs/{name.replace('_', '-')}", path, mode=0o755)
            for name, path in built.items()
        ),
    ]
    return layouts.image([layouts.layer(files)], {"Env": ["PATH=/usr/local/go/bin:/bin"]})


def distroless() -> layouts.Image:
    """An image with nothing that runs, for a user who is not root."""
    passwd = layouts.File("/etc/passwd", b"nonroot:x:65532:65532::/:/sbin/nologin\n")
    return layouts.image(
        [layouts.layer([passwd])], {"Env": ["PATH=/usr/local/bin"], "User": "65532"}
    )


def busybox(programs: binaries.Binaries) -> layouts.Image:
    """What the official image has that probes are made with."""
    files = [
        layouts.File("/bin/busybox", programs.path("busybox"), mode=0o755),
        *(layouts.File(f"/bin/{name}", link="busybox") for name in ("cp", "sh")),
    ]
    return layouts.image([layouts.layer(files)], {"Env": ["PATH=/bin"], "Cmd": ["sh"]})


def service(name: str, shop: Path, programs: binaries.Binaries) -> layouts.Image:
    """A service of the example, as its Dockerfile would build it."""
    return service_images.image(
        name,
        service_images.program(shop / "app"),
        programs.path("goose"),
        service_images.migrations(shop / "services" / name / "migrations"),
        environment={"SERVICE": name},
    )
