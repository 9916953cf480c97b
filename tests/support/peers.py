"""Programs that hanbae is compared with, built from their Go modules and kept with the sandbox's.

The ``helm`` of the version that Argo CD has, which must print the same bytes as the renderer; and kubeconform, which
checks manifests one after the other, as the benchmark's peer. And Compose, which Debian has no package of, and Gitea,
the forge of the tests. Compose has the Kubernetes client of Helm's release, so that it is compiled once.
"""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Final

from hanbae.sandbox import building, caching, golang, pins

MODULES: Final = Path(__file__).parent / "peer_modules"
HELM: Final = next(component for component in pins.COMPONENTS if component.name == "helm")
KUBECONFORM: Final = pins.Component(
    "kubeconform",
    "0.8.0",
    (pins.Program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),),
    20,
)
COMPOSE: Final = pins.Component(
    "docker-compose",
    "2.40.3",
    (pins.Program("docker-compose", "github.com/docker/compose/v2/cmd"),),
    35,
    variables=(("github.com/docker/compose/v2/internal.Version", "v2.40.3"),),
    tags=("e2e",),
)
GITEA: Final = pins.Component(
    "gitea",
    "1.26.0",
    (pins.Program("gitea"),),
    150,
    variables=(("main.version", "1.26.0"),),
    module="code.gitea.io/gitea",
    # Without the web pages that its own build compiles in, it reads these from a folder.
    pieces=tuple(pins.Piece(name, f"static/{name}") for name in ("options", "templates", "public")),
)


@functools.cache
def program(component: pins.Component) -> Path:
    """The program of a peer, built if it is not there yet; that takes minutes the first time.

    Raises:
        hanbae.errors.Lacking: There is no Go.
        hanbae.errors.Failed: It does not build.
    """
    go = golang.find()
    cache = caching.root()
    pinned = component in pins.COMPONENTS
    folder = caching.private(cache / ("bin" if pinned else "peers"))
    modules = building.MODULES if pinned else MODULES
    logs = caching.private(cache / "logs")
    kept = folder / f"{component.name}-{building.digest(component, go, modules)}"
    if not caching.intact(kept):
        with caching.locked(cache, lambda: None):
            if not caching.intact(kept):
                log = logs / f"{component.name}.log"
                caching.store(kept, lambda into: building.build(component, go, into, log, modules))
    return kept / "bin" / component.programs[0].name


def module(path: str, folder: str) -> Path:
    """The files of a Go module that is read and not built, downloaded if they are not there yet.

    Args:
        path: The module.
        folder: Its folder of `MODULES`, which pins it.
    """
    ended = subprocess.run(
        [golang.find().path, "mod", "download", "-json", path],
        cwd=MODULES / folder,
        env=golang.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(ended.stdout or "{}")
    assert ended.returncode == 0, answer.get("Error") or ended.stderr
    return Path(answer["Dir"])
