"""The workers that render: few, reused, and replaced when one of them dies.

A process a chart would cost more than the rendering; one process for all would let one chart end all others.
So each worker renders one chart after the other, and a chart that ends its worker, or takes too long, is one fault for
that chart; the next one gets a new worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, subjects
from hanbae.charts import refusals

TIMEOUT: Final = 30.0
"""Seconds of wall clock that one chart may take, start of the worker included."""
_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of one answer."""
_ENVIRONMENT: Final = {"GOGC": "400", "GOMEMLIMIT": "120MiB", "GOMAXPROCS": "1"}
"""All that a worker is told: Go's runtime collects less often than it would, while there is memory for that, and does
not look for work on other cores, which other workers have."""
_MOST_CHARTS: Final = 2000
"""Charts after which a worker is replaced, so that what Helm's library keeps does not grow for ever."""


class Wanted(Struct, frozen=True):
    """One release that is wanted of a chart.

    Attributes:
        release: Name of the release.
        namespace: Namespace of the release.
        values: Values files' contents; later ones win.
        kube_version: Kubernetes version for ``.Capabilities``, such as ``v1.35.4``; None for Helm's own.
        api_versions: More API versions for ``.Capabilities``, such as ``bitnami.com/v1alpha1``.
    """

    release: str
    namespace: str
    values: tuple[bytes, ...] = ()
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()


class Answer(Struct, frozen=True):
    """What a worker says of one release.

    Attributes:
        error: Helm's words, where it failed.
        values: The chart's defaults with the given values over them.
        documents: File in the chart and object: CRDs, then file by file.
        order: Indices of `documents` in the order in which ``helm template`` prints them; hooks that Helm does not
            know are not among them.
        texts: File in the chart → rendered text, where that was asked for; CRDs are not among them.
        manifest: What ``helm template`` prints, where that was asked for.
    """

    error: str | None = None
    values: dict[str, Any] = {}
    documents: tuple[tuple[str, Any], ...] = ()
    order: tuple[int, ...] = ()
    texts: dict[str, str] = {}
    manifest: str = ""


class Asked(Struct, frozen=True):
    """What is wanted of a chart.

    Attributes:
        wanted: The releases.
        texts: Whether the rendered texts are wanted as well.
        manifest: Whether the output of ``helm template`` is wanted as well.
        resolved: Dependencies that are not vendored but were found: name, wanted version, found version.
    """

    wanted: Sequence[Wanted]
    texts: bool = False
    manifest: bool = False
    resolved: Sequence[tuple[str, str, str]] = ()

    def request(self, files: Mapping[str, bytes]) -> bytes:
        """The message to a worker."""
        releases = [
            {
                "release": each.release,
                "namespace": each.namespace,
                "values": [text.decode("utf-8", "replace") for text in each.values],
                "kube_version": each.kube_version,
                "api_versions": list(each.api_versions),
            }
            for each in self.wanted
        ]
        asked = {"texts": self.texts, "manifest": self.manifest, "resolved": list(self.resolved)}
        return marshal.dumps({"files": dict(files), "wanted": releases, **asked})


class Pool:
    """Workers. Made by :func:`opened`.

    Args:
        size: How many workers render at once.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: list[_Worker] = []
        self._free = asyncio.Semaphore(size)

    async def render(
        self, files: Mapping[str, bytes], asked: Asked, *, shown: str, limit: float = TIMEOUT
    ) -> list[Answer]:
        """Render a chart once for each release that is wanted of it.

        Args:
            files: The chart's files, by path in the chart's folder.
            asked: What is wanted of it.
            shown: The chart folder as the user knows it, for faults.
            limit: Seconds until the worker is ended.

        Returns:
            An answer for each release.

        Raises:
            hanbae.errors.FileFault: The chart may not be rendered, its worker died, or it took too long.
        """
        refusals.refuse(files, shown=shown)
        request = asked.request(files)
        async with self._free:
            reply = await self._ask(request, shown, limit)
        try:
            answers = msgspec.json.decode(reply, type=list[Answer])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _fault(shown, "render.died", code="-") from error
        if len(answers) != len(asked.wanted):
            raise _fault(shown, "render.died", code="-")
        return answers

    def narrow(self, size: int) -> None:
        """Render fewer charts at once from now on; only before anything is rendered."""
        self.size = size
        self._free = asyncio.Semaphore(size)

    async def warm(self) -> None:
        """Start a worker, so that it has loaded Helm's library when the first chart comes."""
        self._idle.append(await _Worker.start())

    async def _ask(self, request: bytes, shown: str, limit: float) -> bytes:
        worker = self._idle.pop() if self._idle else await _Worker.start()
        reply: bytes | None = None
        try:
            async with asyncio.timeout(limit):
                reply = await worker.ask(request)
        except TimeoutError:
            raise _fault(shown, "render.took-too-long", seconds=f"{limit:g}") from None
        finally:
            if reply is None or worker.charts >= _MOST_CHARTS:
                await worker.end()
            else:
                self._idle.append(worker)
        if reply is None:
            raise _fault(shown, "render.died", code=str(worker.code))
        return reply

    async def close(self) -> None:
        """End the workers."""
        while self._idle:
            await self._idle.pop().end()


class _Worker:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.charts = 0

    @classmethod
    async def start(cls) -> _Worker:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "hanbae.charts.worker",
                env=_ENVIRONMENT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )

    @property
    def code(self) -> int | None:
        return self._process.returncode

    async def ask(self, request: bytes) -> bytes | None:
        """The worker's reply; None when it died or said what no reply is."""
        assert self._process.stdin is not None  # noqa: S101  both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self.charts += 1
        try:
            self._process.stdin.write(len(request).to_bytes(8, "big") + request)
            await self._process.stdin.drain()
            size = int.from_bytes(await self._process.stdout.readexactly(8), "big")
            return None if size > _LARGEST else await self._process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._process.wait()
            return None

    async def end(self) -> None:
        """End the process, whatever it does."""
        if self._process.returncode is None:
            # Not Process.kill, which may reap it before the loop does; the loop then warns of it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        await self._process.wait()


@asynccontextmanager
async def opened(size: int = 0) -> AsyncIterator[Pool]:
    """A pool of workers, which start when they are needed and end with the scope.

    Args:
        size: How many render at once; 0 for one a core.
    """
    pool = Pool(size or len(os.sched_getaffinity(0)))
    try:
        yield pool
    finally:
        await pool.close()


def _fault(shown: str, said: str, /, **facts: str) -> errors.FileFault:
    return errors.FileFault(said, place=subjects.Place(f"{shown}/Chart.yaml"), **facts)
