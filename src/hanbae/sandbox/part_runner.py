"""Bringing a sandbox's parts up side by side, each as soon as what it needs is there.

A part that already runs as wanted is left alone; one that has died, hangs, was started differently or before the one
that it restarts with is started (again).
So coming up, going on after an interruption and repairing after a crash are one and the same thing.
"""

from __future__ import annotations

import concurrent.futures
import graphlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hanbae import errors, patterns
from hanbae.sandbox import binaries, folders, namespaces, sites

#: Parts mostly wait; the processors are shared by what they start.
_WORKERS: Final = 12
_USEFUL_LINES: Final = 10
#: klog's and logrus's ways to say that something is wrong, and everybody's.
_ALARMING: Final = patterns.lazy(
    r"^[EF]\d{4} |level=\"?(error|fatal)|\"level\":\"(error|fatal)|\b(panic|fatal|failed|refused|denied)\b",
    re.IGNORECASE,
)


class Cancelled(Exception):
    """This part stops because the whole does; another part's error is being reported."""


@dataclass(frozen=True)
class Part:
    """One step of coming up.

    Attributes:
        name: The component.
        needs: Parts that must be there before it.
        work: Makes it be there; says whether anything had to be done.
    """

    name: str
    needs: tuple[str, ...]
    work: Callable[[], bool]


def _order(parts: Sequence[Part]) -> graphlib.TopologicalSorter[str]:
    names = {part.name for part in parts}
    for part in parts:
        # graphlib would take a name that it does not know for a part that needs nothing.
        if unknown := sorted(set(part.needs) - names):
            message = f"{part.name} needs {', '.join(unknown)}, which is not among the parts"
            raise ValueError(message)
    order = graphlib.TopologicalSorter({part.name: part.needs for part in parts})
    order.prepare()
    return order


class Starter:
    """Brings parts up.

    Args:
        site: The sandbox.
    """

    def __init__(self, site: sites.Site) -> None:
        self._site = site
        self._stop = threading.Event()

    def run(
        self,
        parts: Sequence[Part],
        progress: binaries.Progress,
        *,
        enter: Callable[[], None] = lambda: None,
    ) -> None:
        """Bring every part up; returns when all are.

        Args:
            parts: All of them; every need must be among them.
            progress: Told of each part that is there, in this thread.
            enter: Called first in each thread that works.

        Raises:
            errors.Failed: A part did not come up; the others are stopped from trying.
            ValueError: A part needs one that is not among them, or itself.
        """
        by_name = {part.name: part for part in parts}
        order = _order(parts)
        began: dict[str, float] = {}
        running: dict[concurrent.futures.Future[bool], str] = {}
        with concurrent.futures.ThreadPoolExecutor(_WORKERS, initializer=enter) as workers:
            try:
                while order.is_active():
                    for name in order.get_ready():
                        began[name] = time.monotonic()
                        running[workers.submit(by_name[name].work)] = name
                    ended, _ = concurrent.futures.wait(
                        running, return_when=concurrent.futures.FIRST_COMPLETED
                    )
                    for future in ended:
                        name = running.pop(future)
                        # Raises the part's own error. The parts that are stopped because of it
                        # raise `Cancelled`, which nobody asks for.
                        acted = future.result()
                        order.done(name)
                        seconds = time.monotonic() - began[name]
                        progress.finished(name, seconds, cached=not acted)
            # Leaving the pool waits for every part that still works; this ends their waiting.
            except BaseException:
                self._stop.set()
                raise

    def daemon(self, daemon: sites.Daemon) -> Callable[[], bool]:
        """The work of having a daemon run and be ready."""
        return lambda: self._ensure(daemon)

    def until(self, name: str, ready: Callable[[], str], *, deadline_s: float) -> bool:
        """Wait for a condition that some daemon brings about; says whether there was anything to wait for.

        Args:
            name: What is waited for.
            ready: Says why it is not so yet; empty when it is.
            deadline_s: Seconds to wait.

        Raises:
            errors.Failed: It did not become so.
        """
        if not ready():
            return False
        reason = self._poll(ready, time.monotonic() + deadline_s, lambda: True)
        if reason:
            logs = str(self._site.folder.logs)
            raise errors.Failed("sandbox.not-ready", component=name, reason=reason, logs=logs)
        return True

    def _ensure(self, daemon: sites.Daemon) -> bool:
        living = self._site.namespaces
        log = self._site.folder.logs / f"{daemon.name}.log"
        for path, content in daemon.files.items():
            folders.write(path, content)
        processes = living.processes()
        process, leader = processes.get(daemon.name), processes.get(daemon.restarts_with)
        if process is not None and process.running:
            # By when they were started, so that an `up` that was interrupted in between is gone on with.
            is_left_behind = leader is not None and process.order < leader.order
            is_wanted = process.mark == daemon.mark and not is_left_behind
            # One that hangs gets a moment to show it, then it is replaced.
            patience = time.monotonic() + 10
            if is_wanted and not self._poll(daemon.ready, patience, lambda: True):
                return False
            # One that hangs will not heed a request to end either.
            living.stop(daemon.name, patience_s=2 if is_wanted else 10)
        began = living.start(daemon.name, daemon.command, daemon.environment, log, mark=daemon.mark)
        end = time.monotonic() + daemon.deadline_s
        reason = self._poll(daemon.ready, end, lambda: living.processes()[daemon.name].running)
        if reason:
            after = living.processes()[daemon.name]
            if not after.running:
                reason = f"it ended with {after.code}"
            raise failure(daemon.name, reason, began, self._site)
        return True

    def _poll(self, ready: Callable[[], str], end: float, goes_on: Callable[[], bool]) -> str:
        """Ask until it is ready; says why it is not when the time or the process has ended."""
        pause = 0.02
        while True:
            reason = ready()
            if not reason or time.monotonic() > end or not goes_on():
                return reason
            if self._stop.wait(pause):
                raise Cancelled
            pause = min(pause * 1.5, 0.25)


def failure(name: str, reason: str, process: namespaces.Process, site: sites.Site) -> errors.Failed:
    """The error that names a component and shows what it said last."""
    return errors.Failed(
        "sandbox.component-failed",
        component=name,
        reason=reason,
        lines=site.passwords.redactor()(useful(process.words())),
        log=str(process.log),
    )


def useful(text: str) -> str:
    """The last lines of a log that say what went wrong; simply the last ones if none does."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    alarming = [line for line in lines if _ALARMING.search(line)]
    return "\n".join(line[:400] for line in (alarming or lines)[-_USEFUL_LINES:])
