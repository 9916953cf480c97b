"""Stops the demo at every stage, by Ctrl-C and by the kernel, one after the other on one machine; then it succeeds.

``./dev test crash``: about twenty minutes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import demos, interrupting, scenes

from hanbae.sandbox import caching, folders, golang, identities, running

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]

NAME = f"{demos.NAME}-crash"
DEMO = ["demo", "--name", NAME, "--output", "json"]
STAGES = {
    "while the first program is built": r"Building pause",
    "while another program is built": r"Building goose",
    "while the API server comes up": r"etcd",
    "while pods come up": r"kubelet",
    "while images are pushed": r"pushing them to",
    "while databases and secrets are made": r"Preparing staging",
    "while Argo CD is told": r"Telling Argo CD",
    "while dev is deployed": r"Deploying to dev",
    "while migrations run": r"goose: successfully migrated",
    "while staging is proven": r"^auth staging ✔",
    "while production is deployed": r"Deploying to production",
    "while the sandbox is taken down": r"Taking the sandbox",
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in which two quick programs are still to be built; the others are links to those that there are."""
    root = tmp_path / "hanbae" / "sandbox"
    root.parent.mkdir(mode=0o700)
    shutil.copytree(caching.root(), root, symlinks=True, copy_function=os.link)
    for left in [*root.glob("bin/goose-*"), *root.glob("bin/pause-*"), *root.glob("sets/*")]:
        shutil.rmtree(left)
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    running.down(NAME)
    yield
    running.down(NAME)


def variables(cache: Path) -> dict[str, str]:
    """Our cache, but Go's own where it was."""
    folders_of_go = subprocess.run(
        [golang.find().path, "env", "GOCACHE", "GOMODCACHE"],
        env=golang.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return {
        "XDG_CACHE_HOME": str(cache),
        "GOCACHE": folders_of_go[0],
        "GOMODCACHE": folders_of_go[1],
    }


def left() -> list[str]:
    """What a sandbox of our name would leave on the machine; others may come and go meanwhile."""
    link = Path("/sys/class/net") / identities.derive(folders.of(NAME).root, ()).link
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if f"/{NAME}/" in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").rglob(f"hanbae-{NAME}-*")]
    return [*([str(link)] if link.exists() else []), *mounts, *groups, *processes()]


def processes() -> list[str]:
    """Command lines of processes that were told of our sandbox's folder, in whatever namespace they are."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            words = path.read_bytes().decode(errors="replace").split("\0")
            if any(str(folders.of(NAME).root) in word for word in words):
                commands.append(" ".join(words))
    return commands


def test_demo_succeeds_after_being_stopped_at_every_stage(cache: Path) -> None:
    environment = variables(cache)
    for by in (signal.SIGKILL, signal.SIGINT):
        for stage, line in STAGES.items():
            if by is signal.SIGINT and "built" in stage:
                continue  # by then everything is built; tests of the builder interrupt it there
            stopped = interrupting.stop(DEMO, after=line, by=by, environment=environment)
            assert stopped.reached, f"{stage}: never came there\n{stopped.err[-4000:]}"
            expected = -signal.SIGKILL if by is signal.SIGKILL else 130
            assert stopped.code == expected, f"{stage}: {stopped.code}\n{stopped.err[-4000:]}"
    ended = scenes.hanbae(*DEMO, directory=None, **environment)
    assert ended.code == 0, ended.err[-4000:]
    assert [deployment["outcome"] for deployment in ended.deployments] == ["succeeded"] * 9
    assert not folders.of(NAME).root.exists()
    assert not left()
    assert not re.search(r"Traceback", ended.err)
