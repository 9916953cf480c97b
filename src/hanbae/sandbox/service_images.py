"""The images of services, made without Docker: the program, goose, and the migrations that belong to it.

A real team has a ``Dockerfile`` and a CI for this.
The demo and the tests have neither, but what they push to the registry has the same layout: the program at
``/app/<service>``, goose at ``/usr/local/bin/goose``, migrations below ``/app/services/<service>/migrations``.
Layers go from what changes least to what changes most, so that a new migration uploads a few kilobytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hanbae import errors
from hanbae.images import layouts
from hanbae.policy import naming
from hanbae.sandbox import building, caching, golang

#: The user of distroless "nonroot" images; no name is needed for it.
_USER: Final = 65532
_FLAGS: Final = (*golang.FLAGS, "-ldflags=-s -w")


def program(sources: Path) -> Path:
    """Build the Go program in `sources` into one static file, or take the one that was built before.

    Args:
        sources: A folder with ``go.mod`` and ``go.sum``.

    Returns:
        The program, in the sandbox's cache under a digest of sources, flags and Go version.

    Raises:
        errors.Failed: Go failed; the text has the last useful lines and the log's place.
        errors.Lacking: There is no Go.
        errors.Refused: The cache is not the user's alone.
    """
    go = golang.find()
    cache = caching.root()
    folder = caching.private(cache / "programs") / f"{sources.name}-{_digest(sources, go)}"
    if not caching.intact(folder):
        log = caching.private(cache / "logs") / f"{sources.name}.log"
        with caching.locked(cache, lambda: None):
            if not caching.intact(folder):
                caching.store(folder, lambda into: _build(sources, go, into / "program", log))
    return folder / "program"


def image(
    service: str,
    program: Path,
    goose: Path,
    migrations: Mapping[str, bytes],
    *,
    environment: Mapping[str, str] | None = None,
    runner: Path | None = None,
) -> layouts.Image:
    """The image of a service.

    Args:
        service: Its name, which names the program and the folder of migrations in the image.
        program: The service's static binary.
        goose: The goose binary.
        migrations: Content by path below the migrations folder, such as ``legal_db/00001_create_consents.sql``.
        environment: Variables of the image; ``PATH`` is set.
        runner: hanbae-migrate, for services whose Jobs call that instead.
    """
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", **(environment or {})}
    folder = f"/app/services/{service}/migrations"
    migrating = {"goose": goose} | ({naming.RUNNER: runner} if runner is not None else {})
    layers = [
        *(
            layouts.layer([layouts.File(f"/usr/local/bin/{name}", path, mode=0o755)])
            for name, path in migrating.items()
        ),
        layouts.layer([layouts.File(f"/app/{service}", program, mode=0o755)]),
        layouts.layer(
            [
                layouts.File(folder, mode=0o755),
                *(layouts.File(f"{folder}/{path}", data) for path, data in migrations.items()),
            ]
        ),
    ]
    config = {
        "Entrypoint": [f"/app/{service}"],
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "User": f"{_USER}:{_USER}",
        "WorkingDir": "/app",
        "Labels": {"org.opencontainers.image.title": service},
    }
    return layouts.image(layers, config)


def migrations(folder: Path) -> dict[str, bytes]:
    """The SQL files below a migrations folder by their path in it, for :func:`image`."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.sql"))
    }


def _digest(sources: Path, go: golang.Go) -> str:
    hashed = hashlib.sha256(json.dumps([_FLAGS, go.version, os.uname().machine]).encode())
    for path in sorted(sources.rglob("*")):
        if path.is_file() and not path.name.endswith("_test.go"):
            content = path.read_bytes()
            hashed.update(f"{path.relative_to(sources)} {len(content)}\n".encode() + content)
    return hashed.hexdigest()[:16]


def _build(sources: Path, go: golang.Go, output: Path, log: Path) -> None:
    command = [str(go.path), "build", *_FLAGS, "-o", str(output), "."]
    with log.open("wb") as file:
        status = building.run(command, sources, file.fileno())
    if status != 0:
        raise errors.Failed(
            "demo.build-failed",
            program=sources.name,
            lines=building.useful(log.read_text(errors="replace")),
            log=str(log),
        )
