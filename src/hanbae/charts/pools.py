"""The processes that render: few, reused, and replaced when one of them dies.

A process per chart would cost more than the rendering; one process for all would let one chart end all others.
So each process renders one chart after the other, and a chart that ends its process, or takes too long, is one fault
for that chart; the next one gets a new process.

The program is compiled from the Go sources in ``renderer``: Helm's own engine of the release that Argo CD pins.
Charts are hostile until checked, so it runs with an empty environment and limits its own memory and time. A message is
its length in eight bytes and its content; a chart comes as its files' contents, so nothing of the file system can
become part of it, and answers are JSON, because they are not trusted. A process says when it has read a message: one
that ended before was ended by something else than the chart, and another process renders it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, subjects, wording
from hanbae.charts import compiling
from hanbae.policy import folders
from hanbae.streams import children

HELM: Final = "4.3.1"
"""The version of Helm that renders: the one that Argo CD 3.6.1 has."""
TIMEOUT: Final = 300.0
"""Seconds of wall clock until a process is given up; on a busy machine, what a chart needs may take much longer."""
_SPENT, _SECONDS = 4, 20
"""How a process ends that took the seconds of the processor that one release of a chart may take: ``main.go``."""
_RECEIPT: Final = b"\n"
"""What a renderer says when it has read a message."""
_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of one answer."""
_ENVIRONMENT: Final = {"GOGC": "400", "GOMEMLIMIT": "120MiB", "GOMAXPROCS": "1", "TZ": "UTC"}
"""All that a process is told: Go's runtime collects less often than it would, while there is memory for that, and does
not look for work on other cores, which other processes have. Dates are written as in Argo CD's image."""
_MOST_CHARTS: Final = 2000
"""Charts after which a process is replaced, so that what Helm keeps does not grow for ever."""


class Release(Struct, frozen=True):
    """One release that is wanted of a chart.

    Attributes:
        release: Name of the release.
        namespace: Namespace of the release.
        values: Values files' contents; later ones win.
        kube_version: Kubernetes version for ``.Capabilities``, such as ``v1.35.4``; None for Helm's own.
        api_versions: More API versions for ``.Capabilities``, such as ``bitnami.com/v1alpha1``.
        version_is_known: Whether that is the version, rather than one of its minor version: then a release is not
            rendered for other patch releases as well.
        apis_are_known: Whether these are all API versions, rather than those that are known: then a release is not
            rendered with others as well.
        values_files: Paths of the values files, for faults; empty where there are none.
        skip_crds: Whether the CRDs in the chart's ``crds`` folders are left out, as ``helm template`` does unasked.
        skip_schema: Whether the values are not held against the chart's schema.
    """

    release: str
    namespace: str
    values: tuple[bytes, ...] = ()
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    version_is_known: bool = False
    apis_are_known: bool = False
    values_files: tuple[str, ...] = ()
    skip_crds: bool = False
    skip_schema: bool = False

    @property
    def alone(self) -> Release:
        """The same, of which nobody wants to know what it is in another cluster."""
        return msgspec.structs.replace(self, version_is_known=True, apis_are_known=True)


class Difference(Struct, frozen=True):
    """Objects that would be others if Helm, or Kubernetes, were another release.

    Attributes:
        asked: What the templates ask for: ``helm`` or ``kubernetes``.
        identity: The other release, such as ``Helm v3.18.6``.
        objects: Kind and name of those objects, a few of them.
        template: File in the chart that the first one comes from.
    """

    asked: str
    identity: str
    objects: tuple[str, ...]
    template: str

    @property
    def text(self) -> wording.Text:
        """The difference as a sentence."""
        facts = {"identity": self.identity, "objects": ", ".join(self.objects)[:300]}
        return wording.Text("render.depends", facts)


class Alternative(Struct, frozen=True):
    """What a release is in a cluster that has API versions of which nothing is known.

    Attributes:
        assumed: Those API versions.
        documents: As in :class:`Answer`: those of the answer, and behind them those that only this one has.
        order: As in :class:`Answer`.
    """

    assumed: tuple[str, ...]
    documents: tuple[tuple[str, Any], ...] = ()
    order: tuple[int, ...] = ()


class Site(Struct, frozen=True):
    """A place in a template where a function was called that gives another result each time.

    Attributes:
        function: The function.
        template: File in the chart, as Helm names it.
        line: Its line.
    """

    function: str
    template: str
    line: int


class Excess(Struct, frozen=True):
    """A text of which there is more than may be rendered.

    Attributes:
        file: A path in the chart's folder: what Helm would read, or the template that made it; empty for a values file
            of the release.
        line: Its line; 0 where only the file is known.
        what: ``bytes``, ``entries`` (keys and items) or ``depth``.
        limit: How many there may be.
        values: Whether it is a values file of the release.
        index: Which of them.
    """

    file: str
    line: int
    what: Literal["bytes", "entries", "depth"]
    limit: int
    values: bool
    index: int = 0


class Answer(Struct, frozen=True):
    """What the renderer says of one release.

    Attributes:
        error: Helm's words, where it failed.
        public: The same without what they repeat of values, where they do; empty otherwise.
        of_values: Whether the fault is in the values rather than in the chart.
        missing: Dependencies that the chart declares and does not have, where that is the fault.
        schema: The schema that is the fault: it is malformed, or has a `reference`. It is a path in the chart's folder;
            behind a packed chart and a ``:`` it is one in there.
        reference: What that schema refers to outside itself, where that is the fault.
        beyond: What is larger than it may be, where that is the fault.
        values: The chart's defaults with the given values over them.
        documents: File in the chart and object: CRDs, then file by file.
        order: Indices of `documents` in the order in which ``helm template`` prints them; hooks that Helm does not
            know are not among them.
        texts: File in the chart → rendered text, where that was asked for; CRDs are not among them.
        manifest: What ``helm template`` prints, where that was asked for.
        differences: What templates make dependent on Helm's or Kubernetes' release.
        alternatives: What else the release is, by API versions of which nothing is known.
        calls: Functions that were called and give another result each time.
        sites: Where they were called, as far as the text of a template shows it.
        untried: Releases of Helm and Kubernetes, and combinations of API versions, that templates ask for and that were
            not tried; ``API versions`` where they read all of these as a list, which can be asked for anything.
    """

    error: str | None = None
    public: str = ""
    of_values: bool = False
    missing: tuple[str, ...] = ()
    schema: str = ""
    reference: str = ""
    beyond: Excess | None = None
    values: dict[str, Any] = {}
    documents: tuple[tuple[str, Any], ...] = ()
    order: tuple[int, ...] = ()
    texts: dict[str, str] = {}
    manifest: str = ""
    differences: tuple[Difference, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    calls: tuple[str, ...] = ()
    sites: tuple[Site, ...] = ()
    untried: tuple[str, ...] = ()


class Request(Struct, frozen=True):
    """What is wanted of a chart.

    Attributes:
        wanted: The releases.
        texts: Whether the rendered texts are wanted as well.
        manifest: Whether the output of ``helm template`` is wanted as well.
        printed: Whether nothing else is: then CRDs, which may be megabytes, are not read and are not among the objects.
        resolved: Dependencies that are not vendored but were found: name, wanted version, found version.
    """

    releases: Sequence[Release]
    texts: bool = False
    manifest: bool = False
    printed: bool = False
    resolved: Sequence[tuple[str, str, str]] = ()

    def message(self, files: Mapping[str, bytes]) -> list[bytes]:
        """The message to a renderer, in parts.

        The files come in the order in which Helm walks a folder: it decides the order of CRDs.
        """
        names = sorted(files, key=lambda path: path.split("/"))
        head = msgspec.json.encode(
            {
                "files": [{"path": _as_text(name), "size": len(files[name])} for name in names],
                "releases": [
                    {
                        "name": _as_text(release.release),
                        "namespace": _as_text(release.namespace),
                        "values": release.values,
                        "kube_version": release.kube_version or "",
                        "api_versions": release.api_versions,
                        "version_is_known": release.version_is_known,
                        "apis_are_known": release.apis_are_known,
                        "skip_crds": release.skip_crds,
                        "skip_schema": release.skip_schema,
                    }
                    for release in self.releases
                ],
                "texts": self.texts,
                "manifest": self.manifest,
                "printed": self.printed,
                "resolved": self.resolved,
            }
        )
        content = [files[name] for name in names]
        size = 8 + len(head) + sum(map(len, content))
        return [size.to_bytes(8, "big"), len(head).to_bytes(8, "big"), head, *content]


class Pool:
    """Renderers. Made by :func:`opened`.

    Args:
        size: How many render at once.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: list[_Renderer] = []
        self._free = asyncio.Semaphore(size)

    async def render(
        self, files: Mapping[str, bytes], request: Request, *, chart: str, limit: float = TIMEOUT
    ) -> list[Answer]:
        """Render a chart once for each release that is wanted of it.

        Args:
            files: The chart's files, by path in the chart's folder.
            request: What is wanted of it.
            chart: The chart folder as the user knows it, for faults.
            limit: Seconds until the process is ended.

        Returns:
            An answer for each release.

        Raises:
            hanbae.errors.FileFault: The process died, or it took too long.
            hanbae.errors.Lacking: The renderer has not been compiled, or cannot be started.
        """
        reply = await self.exchange(request.message(files), chart=chart, limit=limit)
        try:
            answers = foreign_json.decode(reply, list[Answer])
        except foreign_json.Fault as error:
            raise _fault(chart, "render.died", code="-") from error
        if len(answers) != len(request.releases):
            raise _fault(chart, "render.died", code="-")
        return [_completed(answer) for answer in answers]

    async def exchange(
        self, message: Sequence[bytes], *, chart: str, limit: float = TIMEOUT
    ) -> bytes:
        """Send a process a message and wait for its reply.

        Args:
            message: The message, in parts.
            chart: The chart folder as the user knows it, for faults.
            limit: Seconds until the process is ended.

        Raises:
            hanbae.errors.FileFault: As :meth:`render`.
            hanbae.errors.Lacking: As :meth:`render`.
        """
        async with self._free:
            return await self._ask(message, chart, limit)

    def narrow(self, size: int) -> None:
        """Render fewer charts at once from now on; only before anything is rendered."""
        self.size = size
        self._free = asyncio.Semaphore(size)

    async def warm(self) -> None:
        """Start a process, so that it is ready when the first chart comes."""
        self._idle.append(await _Renderer.start())

    async def _ask(self, message: Sequence[bytes], chart: str, limit: float) -> bytes:
        waited = bool(self._idle)
        renderer = self._idle.pop() if waited else await _Renderer.start()
        reply: bytes | None = None
        try:
            async with asyncio.timeout(limit):
                reply = await renderer.ask(message)
        except TimeoutError:
            raise _fault(chart, "render.took-too-long", seconds=f"{limit:g}") from None
        # Also when the caller is cancelled: the process is still busy, and its answer would be
        # taken for that of the next chart.
        finally:
            if reply is None or renderer.charts >= _MOST_CHARTS:
                await renderer.end()
            else:
                self._idle.append(renderer)
        if waited and renderer.is_unread:
            return await self._ask(message, chart, limit)
        if reply is None and renderer.code == _SPENT:
            raise _fault(chart, "render.took-too-long", seconds=str(_SECONDS))
        if reply is None:
            raise _fault(chart, "render.died", code=str(renderer.code))
        return reply

    async def close(self) -> None:
        """End the processes."""
        while self._idle:
            await self._idle.pop().end()


def _as_text(name: str) -> str:
    """A name that JSON can have: one that is no UTF-8 has surrogates in it."""
    return name.encode("utf-8", "replace").decode()


def _completed(answer: Answer) -> Answer:
    """An answer whose alternatives have the documents that they share with it, which are sent once."""
    if not answer.alternatives:
        return answer
    alternatives = tuple(
        msgspec.structs.replace(alternative, documents=answer.documents + alternative.documents)
        for alternative in answer.alternatives
    )
    return msgspec.structs.replace(answer, alternatives=alternatives)


class _Renderer:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.charts = 0
        self.is_unread = False
        """Whether it ended before it read the last message: that is no fault of the chart in there."""

    @classmethod
    async def start(cls) -> _Renderer:
        path = program()
        with errors.starting(str(path)):
            process = await asyncio.create_subprocess_exec(
                path,
                cwd="/",
                env=_ENVIRONMENT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Go writes pages there when it aborts; a pipe that nobody reads would hold the process up.
                stderr=asyncio.subprocess.DEVNULL,
            )
        return cls(process)

    @property
    def code(self) -> int | None:
        return self._process.returncode

    async def ask(self, message: Sequence[bytes]) -> bytes | None:
        """The reply; None when the process died or said what no reply is."""
        assert self._process.stdin is not None  # noqa: S101  both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self.charts += 1
        self.is_unread = True
        try:
            self._process.stdin.writelines(message)
            await self._process.stdin.drain()
            # Its own word that it has the message. That a pipe took it says nothing: what is killed gives back its end
            # of it when the last of its threads has ended, and until then a message goes in that nobody reads.
            if await self._process.stdout.readexactly(1) != _RECEIPT:
                return None
            self.is_unread = False
            size = int.from_bytes(await self._process.stdout.readexactly(8), "big")
            # The size is the process's own word. One that says too much is ended by whoever asked (`_ask`).
            return None if size > _LARGEST else await self._process.stdout.readexactly(size)
        # A write fails as well as a read where the process ends before it has read all of a chart.
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._process.wait()
            return None

    async def end(self) -> None:
        """End the process, whatever it does."""
        await children.end(self._process)


@asynccontextmanager
async def opened(size: int = 0) -> AsyncIterator[Pool]:
    """A pool of processes, which start when they are needed and end with the scope.

    Args:
        size: How many render at once; 0 for one a core.
    """
    # The cores that this process may use, which may be fewer than the machine has.
    pool = Pool(size or len(os.sched_getaffinity(0)))
    try:
        yield pool
    finally:
        await pool.close()


def program() -> Path:
    """The renderer's program.

    Raises:
        hanbae.errors.Lacking: It has not been compiled.
    """
    path = compiling.program()
    if path is None:
        raise errors.Lacking("render.no-renderer", helm=HELM)
    return path


def _fault(chart: str, text_id: str, /, **facts: str) -> errors.FileFault:
    place = subjects.Place(folders.path(chart, "Chart.yaml"))
    return errors.FileFault(text_id, place=place, **facts)
