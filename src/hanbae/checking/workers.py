"""Further processes for a check, because rules are Python and Python uses one core.

The process that was started inspects services itself; each further core gets a process that is sent a few names at a
time, as long as there are some, and answers with their inspections.
It is spawned, never forked: a copy of a process that has threads may hang.
When one dies, its services go back into the schedule and are inspected by the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors
from hanbae.checking import inspecting, inspection_worker, schedules
from hanbae.streams import children

LEAST: Final = 24
"""Services that must be waiting for a process to pay: it takes as long to start as some of them take."""
# Services that a process is sent at once. It reads ahead only within a batch, and waits for the next one until the
# process that was started has a moment, so small ones would leave it and its renderer idle in between.
_BATCH: Final = 16
# What an index has of one service's files in most repositories, in bytes.
_INDEXED: Final = 2048


def batch_size(waiting: int) -> int:
    """How many of the waiting services a process takes at once: fewer toward the end, so that all end together."""
    # Half of its share: what the others take longer for is still there to be divided.
    return max(min(_BATCH, waiting // (2 * len(os.sched_getaffinity(0)))), 1)


def further(waiting: int) -> int:
    """How many further processes so many services are worth."""
    return min(len(os.sched_getaffinity(0)) - 1, waiting // LEAST)


def foreseen(directory: Path) -> int:
    """How many further processes a repository is likely to be worth, while its services are not listed yet.

    Args:
        directory: The folder of the policy; 0 where it is no clone's root.
    """
    with contextlib.suppress(OSError):
        return further((directory / ".git" / "index").stat().st_size // _INDEXED)
    return 0


async def work(
    schedule: schedules.Schedule, task: inspection_worker.Task, idle: Idle | None = None
) -> None:
    """Have a further process inspect services as long as some are waiting; one that dies gives its services back.

    Args:
        schedule: The services.
        task: What they have in common.
        idle: Processes that have started up before; None to start one.
    """
    # Where the machine has no room for a further process, those that there are do the work.
    with contextlib.suppress(errors.Lacking):
        async with started(task, idle) as process:
            while services := schedule.take(batch_size(schedule.waiting), elsewhere=True):
                inspections = await process.inspect(services)
                if inspections is None:
                    schedule.give_back(services)
                    return
                for name, inspection in zip(services, inspections, strict=True):
                    schedule.finish(name, inspection)


class Process:
    """One further process. Made by :func:`started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    async def inspect(self, services: Sequence[str]) -> list[inspecting.Inspection] | None:
        """What there is in each of some services; None when the process died or its answer cannot be read."""
        answer = await self._send(msgspec.msgpack.encode(services))
        try:
            inspections = msgspec.msgpack.decode(answer or b"", type=list[inspecting.Inspection])
        except (msgspec.DecodeError, RecursionError):
            return None
        return inspections if len(inspections) == len(services) else None

    async def _send(self, message: bytes) -> bytes | None:
        assert self._process.stdin is not None  # noqa: S101  both are pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(inspection_worker.framed(message))
            await self._process.stdin.drain()
            size = int.from_bytes(await self._process.stdout.readexactly(8), "big")
            return await self._process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


class Idle:
    """Processes that start up while nobody knows yet what they are to do. Made by :func:`opened`."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

    async def warm(self, number: int) -> None:
        """Start some, unless the machine has no room: importing what they need takes them as long as many services."""
        with contextlib.suppress(errors.Lacking):
            for _ in range(number):
                self._processes.append(await _spawned())

    def take(self) -> asyncio.subprocess.Process | None:
        """One of them, which whoever takes it ends; None where there is none left."""
        return self._processes.pop() if self._processes else None

    async def close(self) -> None:
        """End those that nobody took."""
        while process := self.take():
            await children.end(process)


@asynccontextmanager
async def opened() -> AsyncIterator[Idle]:
    """Room for processes that start up early, and end with the scope if nobody takes them."""
    idle = Idle()
    try:
        yield idle
    finally:
        await idle.close()


@asynccontextmanager
async def started(task: inspection_worker.Task, idle: Idle | None = None) -> AsyncIterator[Process]:
    """A process that ends with the scope.

    Args:
        task: What it is to do.
        idle: Processes that have started up before, of which one is taken if there is one.

    Raises:
        hanbae.errors.Lacking: It cannot be started.
    """
    process = (idle.take() if idle is not None else None) or await _spawned()
    assert process.stdin is not None  # noqa: S101  a pipe
    try:
        process.stdin.write(inspection_worker.framed(msgspec.msgpack.encode(task)))
        yield Process(process)
    finally:
        # Its renderers end with it.
        await children.end(process)


async def _spawned() -> asyncio.subprocess.Process:
    with errors.starting(sys.executable):
        return await asyncio.create_subprocess_exec(
            sys.executable,
            # Isolated: the current folder may be a checkout, and neither it nor PYTHONPATH may decide
            # what is imported.
            "-I",
            "-m",
            inspection_worker.__name__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
