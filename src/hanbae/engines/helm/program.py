"""Runs the program ``helm`` for a release of a commit's chart: what it sees, and what it may not.

It gets a folder of its own with the chart and the values files of the commit, and the few variables by which it finds
the kubeconfig; no variable of the user's that may hold a token, and nothing secret in its arguments.
It runs no hooks (hanbae does, in Argo CD's order) and waits for nothing (hanbae watches).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from hanbae import errors, excerpts, masking, patterns
from hanbae.engines import protocol
from hanbae.streams import locales

MINOR: Final = "4.3"
"""The minor version that hanbae renders and is tested with: that of Argo CD 3.6."""
MANAGER: Final = "helm"
"""Under which name Helm has the API server file what it applies."""

_WITHIN: Final = 180.0
"""Seconds for a program that waits for no pods."""
_LONGEST: Final = 64 * 1024
"""Bytes of its words that are kept, the last ones."""
_VERSION: Final = patterns.lazy(r"v(\d{1,4}\.\d{1,4})\.\d{1,4}")
_PASSED: Final = (
    *("HOME", "KUBECONFIG", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR"),
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"),
)
"""Variables that it gets. Programs that a kubeconfig names for its credentials get no others either."""
_BUSY: Final = "another operation (install/upgrade/rollback) is in progress"
_UNOWNED: Final = "invalid ownership metadata"
_AWAY: Final = (
    *("Kubernetes cluster unreachable", "connection refused", "connection reset by peer"),
    *("i/o timeout", "TLS handshake timeout", '": EOF', '": unexpected EOF'),
)
"""How Helm and Go call an API server that does not answer, or no longer; before EOF is the address, in quotes."""


class Chart(Struct, frozen=True):
    """A release as it is handed to Helm.

    Attributes:
        release: Its name.
        namespace: Its namespace.
        files: Path in the chart's folder → content.
        values: The values files, in order.
        labels: What is written beside the release's record, to know it again.
    """

    release: str
    namespace: str
    files: Mapping[str, bytes]
    values: tuple[bytes, ...]
    labels: Mapping[str, str] = {}


async def require() -> str:
    """The program.

    Raises:
        hanbae.errors.Lacking: There is none, or one of another minor version, or it cannot be started.
    """
    path = shutil.which("helm")
    if path is None:
        raise errors.Lacking("upgrade.none", wanted=MINOR)
    answer = await _run([path, "version", "--template", "{{.Version}}"], None)
    number = _VERSION.search(answer.out[:200])
    if number is None or number[1] != MINOR:
        facts = {"program": path, "found": answer.out[:40].strip() or "-", "wanted": MINOR}
        raise errors.Lacking("upgrade.other-version", place=None, **facts)
    return path


async def upgrade(
    path: str, chart: Chart, *, context: str, kubeconfig: Path | None, dry: bool = False
) -> None:
    """Install or upgrade the release, or have the API server say whether that would go.

    Args:
        path: The program.
        chart: What to install.
        context: The kubeconfig's context.
        kubeconfig: The kubeconfig; None for those that Helm finds as kubectl does.
        dry: Store nothing.

    Raises:
        hanbae.engines.protocol.Busy: Somebody else's operation is active, or was never ended.
        hanbae.errors.Refused: An object of the release is there already and is not the release's.
        hanbae.errors.Failed: It failed.
        hanbae.errors.Lacking: It cannot be started.
        hanbae.errors.Unreachable: The cluster did not answer, or Helm did not end.
    """
    with tempfile.TemporaryDirectory(prefix="hanbae-helm-") as where:
        folder = Path(where)
        for name, content in chart.files.items():
            _write(folder / "chart" / name, content)
        command = [path, "upgrade", chart.release, str(folder / "chart"), "--install"]
        for index, content in enumerate(chart.values):
            _write(folder / f"values-{index}.yaml", content)
            command += ["--values", str(folder / f"values-{index}.yaml")]
        command += ["--namespace", chart.namespace, "--no-hooks", "--kube-context", context]
        # What somebody has changed by hand would be a conflict, which shows only after the migrations.
        command += ["--server-side=true", "--force-conflicts"]
        if kubeconfig is not None:
            command += ["--kubeconfig", str(kubeconfig)]
        if chart.labels:
            command += ["--labels", ",".join(f"{k}={v}" for k, v in sorted(chart.labels.items()))]
        if dry:
            # A dry run prints the rendered objects, Secrets included unless they are hidden.
            command += ["--dry-run=server", "--hide-secret"]
        answer = await _run(command, folder)
    if answer.code:
        raise _failure(chart, answer, folder)


class _Answer(Struct, frozen=True):
    """What a run has said, and its exit code; -1 where it did not end in time."""

    code: int
    out: str
    err: str


async def _run(command: list[str], folder: Path | None) -> _Answer:
    """Run it to its end: it is short, and one that is ended in the middle leaves a release that nobody can upgrade."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    environment = {**passed, **locales.ENGLISH}
    if folder is not None:
        # Folders of its own: no plugin, repository or registry login of the user's takes part.
        own = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        environment |= {name: str(folder / name.lower()) for name in own}
    running = asyncio.ensure_future(_through(command, environment))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # However often: Ctrl-C may come to a driver that somebody else is stopping already.
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        raise


async def _through(command: list[str], environment: Mapping[str, str]) -> _Answer:
    with errors.starting(command[0]):
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C is hanbae's to answer
        )
    try:
        async with asyncio.timeout(_WITHIN):
            # Both pipes are read while it runs: a full pipe would block it.
            out, err, code = await asyncio.gather(
                _last(process.stdout), _last(process.stderr), process.wait()
            )
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return _Answer(-1, "", f"> {_WITHIN:g} s")
    return _Answer(code, out, err)


async def _last(stream: asyncio.StreamReader | None) -> str:
    """The last of what it says."""
    assert stream is not None  # noqa: S101  both are pipes
    tail = bytearray()
    while more := await stream.read(1 << 16):
        tail = (tail + more)[-_LONGEST:]
    return tail.decode("utf-8", "replace")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _failure(chart: Chart, answer: _Answer, folder: Path) -> errors.Error:
    """The error for what Helm says; a chart says whatever it likes, so it is masked and cut."""
    words = answer.err.replace(f"{folder}/chart/", "").replace(f"{folder}/", "")
    words = words.removeprefix("Error: ")
    message = excerpts.one_line(words, redact=masking.Redactor())
    facts = {"release": chart.release, "namespace": chart.namespace, "message": message or "-"}
    if _BUSY in words:
        return protocol.Busy("upgrade.busy", place=None, **facts)
    if _UNOWNED in words:
        return errors.Refused("upgrade.not-adopted", place=None, **facts)
    if answer.code == -1 or any(text in words for text in _AWAY):
        return errors.Unreachable("upgrade.unreachable", place=None, **facts)
    return errors.Failed("upgrade.failed", place=None, **facts)
