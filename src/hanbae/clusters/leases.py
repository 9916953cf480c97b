"""One driver per application: a Lease on the workload cluster, which also says what is being driven and how far it is.

The local history cannot exclude anybody: two machines have two.
Whether a holder is alive is never judged by comparing clocks: it is dead when the observer, by a clock of its own that
never goes back, has seen the Lease's resourceVersion unchanged for as long as the Lease says.
The annotations (`State.marks`) are what somebody without the history needs to go on after a crash; they are written
before the effect that they announce, and stay when the Lease is released.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from hanbae import errors
from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.policy import labels
from hanbae.streams import backoffs

DURATION: Final = 15.0
"""Seconds without a renewal after which a holder counts as dead."""
RENEWAL: Final = 3.0
"""Seconds between two renewals."""
LOOK: Final = 0.25
"""Seconds between two looks at somebody else's Lease."""
# MicroTime of Kubernetes: the fraction of a second always has six digits.
_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
# A conflict means that somebody else's write has gone through: eight attempts are enough for eight
# writers at a time.
_ATTEMPTS: Final = 8


class State(Struct, frozen=True):
    """A Lease as it was read.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        holder: Who holds it; empty when it was released.
        since: When the holder took it, by the holder's clock: for people only.
        marks: What is driven, and how far it is.
        duration: Seconds without a renewal after which the holder counts as dead.
        version: The resourceVersion.
    """

    namespace: str
    name: str
    holder: str
    since: str
    marks: Mapping[str, str]
    duration: float
    version: str


class NoNamespace(errors.Refused):
    """The namespace that it is to be in is not there."""


class HeldByAnother(errors.Refused):
    """Somebody else holds it."""

    def __init__(self, lease: State) -> None:
        super().__init__("lease.taken", lease=lease.name, holder=lease.holder, since=lease.since)
        self.lease = lease


async def read(cluster: connections.Cluster, namespace: str, name: str) -> State | None:
    """The Lease, or None where there is none."""
    stored = await reading.get(cluster, kinds.LEASE, namespace, name)
    return _state(stored) if stored is not None else None


async def find(cluster: connections.Cluster, namespace: str, deployment: str) -> list[State]:
    """The Leases in a namespace whose last driver was this deployment."""
    selector = f"{labels.DEPLOYMENT}={deployment}"
    stored = await reading.find(cluster, kinds.LEASE, namespace, label_selector=selector)
    return [_state(item) for item in stored]


async def every(cluster: connections.Cluster, namespace: str) -> list[State]:
    """All Leases in a namespace, whosever they are."""
    return [_state(item) for item in await reading.find(cluster, kinds.LEASE, namespace)]


async def is_held(
    cluster: connections.Cluster,
    lease: State,
    *,
    within: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether the holder lives: it renews, or another one does, while we look.

    Args:
        cluster: The workload cluster.
        lease: The Lease as it was read.
        within: Seconds for which it must stay unchanged; None for the Lease's own duration.
        clock: Seconds that never go back; time in which the API server does not answer is not counted, because in
            that time nobody can renew.

    Raises:
        hanbae.errors.Forbidden: It may not be read.
    """
    if not lease.holder:
        return False
    within = lease.duration if within is None else within
    began = clock()
    while clock() - began < within:
        await asyncio.sleep(LOOK)
        try:
            now = await read(cluster, lease.namespace, lease.name)
        # Forbidden is Unreachable as well, and waiting does not help.
        except errors.Forbidden:
            raise
        except errors.Unreachable:
            began = clock()
            continue
        if now is None or not now.holder:
            return False
        if now.version != lease.version:
            return True
    return False


async def mark(cluster: connections.Cluster, lease: State, marks: Mapping[str, str]) -> bool:
    """Add marks to somebody else's Lease, such as the wish that it stop; the holder reads them as it renews.

    Args:
        cluster: The workload cluster.
        lease: The Lease as it was read.
        marks: The marks.

    Returns:
        False where another deployment has the Lease by now, or it is gone: nothing is marked then.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    annotations = {labels.PREFIX + name: value for name, value in marks.items()}
    attempts = backoffs.Attempts(_ATTEMPTS)
    async for _ in attempts:
        now = await read(cluster, lease.namespace, lease.name)
        if now is None or now.marks.get("deployment") != lease.marks.get("deployment"):
            return False
        # Of this very version: a deployment that takes the Lease meanwhile is not the one that is meant.
        patch = {"metadata": {"annotations": annotations, "resourceVersion": now.version}}
        try:
            await writing.merge_patch(cluster, kinds.LEASE, lease.namespace, lease.name, patch)
        # The next attempt reads it again: another deployment may have it by now, or only the answer
        # was lost.
        except (answers.Conflict, answers.Missing, answers.Unanswered):
            attempts.failed(_not_written({"metadata": {"name": lease.name}}), pause=0)
        else:
            return True
    raise attempts.error


async def amend(
    cluster: connections.Cluster,
    namespace: str,
    name: str,
    change: Callable[[Mapping[str, str]], Mapping[str, str]],
) -> State:
    """Change marks of a Lease that anybody may hold, or nobody; it is made where there is none.

    Args:
        cluster: The workload cluster.
        namespace: The Lease's namespace.
        name: Its name.
        change: The marks as they are → those that are to be otherwise; asked again where somebody was faster.

    Raises:
        hanbae.errors.Refused: The namespace is not there.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    attempts = backoffs.Attempts(_ATTEMPTS)
    async for _ in attempts:
        stored = await reading.get(cluster, kinds.LEASE, namespace, name)
        marks = change(_state(stored).marks if stored is not None else {})
        annotations = {labels.PREFIX + mark: value for mark, value in marks.items()}
        # In a merge patch None removes the label.
        label = {labels.HOLDS: "true" if annotations.get(labels.HOLDS) else None}
        manifest: kinds.Object = {
            "metadata": {"namespace": namespace, "name": name, "annotations": annotations}
        }
        try:
            if stored is None:
                manifest["metadata"]["labels"] = {key: text for key, text in label.items() if text}
                return _state(await writing.create(cluster, kinds.LEASE, manifest))
            # Of this very version: a mark that somebody else has changed meanwhile is not lost.
            version = stored["metadata"].get("resourceVersion")
            changed = {"annotations": annotations, "labels": label, "resourceVersion": version}
            patch = {"metadata": changed}
            return _state(await writing.merge_patch(cluster, kinds.LEASE, namespace, name, patch))
        except answers.Missing as error:
            if stored is None:
                raise NoNamespace("lease.no-namespace", namespace=namespace) from error
            attempts.failed(_not_written(manifest), pause=0)
        except (answers.Conflict, answers.Exists, answers.Unanswered):
            attempts.failed(_not_written(manifest), pause=0)
    raise attempts.error


class Lease:
    """A Lease that we hold, renewed until it is released. Made by :func:`held`.

    Args:
        cluster: The workload cluster.
        stored: The object as the API server has it.
        holder: Our identity.
        clock: The time, for what people read in it.
        before: Its marks before it was ours.
    """

    def __init__(
        self,
        cluster: connections.Cluster,
        stored: kinds.Object,
        holder: str,
        clock: Callable[[], datetime],
        before: Mapping[str, str],
    ) -> None:
        self.holder = holder
        self.before = before
        self._cluster = cluster
        self._stored = stored
        self._clock = clock
        # Renewals and marks each replace the version that was stored last: side by side, one would
        # make the other conflict.
        self._writing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._lost: HeldByAnother | None = None

    @property
    def marks(self) -> Mapping[str, str]:
        """Its marks, as far as they are known here: others may have added some."""
        return _state(self._stored).marks

    async def mark(self, /, **marks: str) -> None:
        """Say how far the driver is; stored when this returns.

        Raises:
            Taken: Somebody else has taken it over.
            hanbae.errors.Unreachable: It was not stored.
        """
        await self._write(marks, holder=self.holder)

    async def release(self, marks: Mapping[str, str] | None = None) -> None:
        """Give it up, with last words. Whoever comes next need not wait."""
        with contextlib.suppress(HeldByAnother):
            await self._write(marks or {}, holder="")

    async def marked(self, name: str) -> str:
        """Wait until somebody adds this mark, and return its value.

        Raises:
            Taken: Somebody else has taken the Lease over.
        """
        while True:
            if self._lost is not None:
                raise self._lost
            value = self.marks.get(name)
            if value:
                return value
            # Nothing is awaited since the look above, so no change is missed.
            self._changed.clear()
            await self._changed.wait()

    async def renew(self) -> None:
        """Renew it for ever; ends when it is lost. Trouble with the API server is none of the holder's."""
        while self._lost is None:
            await asyncio.sleep(RENEWAL)
            # `HeldByAnother` passes here as well; `_lost` is set then, which ends the loop and is raised by
            # `marked`.
            with contextlib.suppress(errors.Error):
                await self._write({}, holder=self.holder)

    async def _write(self, marks: Mapping[str, str], *, holder: str) -> None:
        async with self._writing:
            attempts = backoffs.Attempts(_ATTEMPTS)
            async for _ in attempts:
                if self._lost is not None:
                    raise self._lost
                now = self._clock()
                # Anew for each attempt: what was read back may have marks of others, such as the
                # wish to stop.
                manifest = _written(self._stored, holder, marks, now, since=None)
                try:
                    self._stored = await writing.replace(self._cluster, kinds.LEASE, manifest)
                except answers.Missing:
                    # Somebody has deleted it. Its holder drives on, so it is made again.
                    manifest["metadata"].pop("resourceVersion", None)
                    manifest["metadata"].pop("uid", None)
                    try:
                        self._stored = await writing.create(self._cluster, kinds.LEASE, manifest)
                    except (answers.Exists, answers.Unanswered):
                        attempts.failed(_not_written(manifest), pause=0)
                        await self._read_back()
                        continue
                except (answers.Conflict, answers.Unanswered):
                    attempts.failed(_not_written(manifest), pause=0)
                    await self._read_back()
                    continue
                except errors.Forbidden:
                    raise
                except errors.Unreachable as error:
                    attempts.failed(error)
                    continue
                self._changed.set()
                return
            raise attempts.error

    async def _read_back(self) -> None:
        metadata = self._stored["metadata"]
        with contextlib.suppress(errors.Unreachable):
            stored = await reading.get(
                self._cluster, kinds.LEASE, metadata["namespace"], metadata["name"]
            )
            if stored is None:
                return
            self._stored = stored
            if _state(stored).holder not in {self.holder, ""}:
                self._lost = HeldByAnother(_state(stored))
            self._changed.set()


@asynccontextmanager
async def held(
    cluster: connections.Cluster,
    namespace: str,
    name: str,
    *,
    holder: str,
    marks: Mapping[str, str],
    over: State | None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Lease]:
    """Hold a Lease; who leaves without releasing it leaves it for the next one, with the marks.

    Args:
        cluster: The workload cluster.
        namespace: The Lease's namespace.
        name: Its name.
        holder: Our identity; nobody else's.
        marks: What is driven.
        over: The Lease that is taken over, released or of a dead holder; None where there was none.
        clock: The time, for people.

    Raises:
        Taken: Somebody else was faster.
        hanbae.errors.Refused: The namespace is not there.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    now = clock()
    empty = {"metadata": {"namespace": namespace, "name": name, "annotations": {}}}
    manifest = _written(empty, holder, marks, now, since=now)
    stored = await _take(cluster, manifest, over)
    lease = Lease(cluster, stored, holder, clock, over.marks if over is not None else {})
    renewing = asyncio.create_task(lease.renew())
    try:
        yield lease
    finally:
        # Before the release: a renewal after it would make this holder hold the Lease again.
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with contextlib.suppress(errors.Error, TimeoutError):
            if _state(lease._stored).holder == holder:  # noqa: SLF001  its own module
                # Whoever leaves does not wait for a server that is gone: the Lease then runs out by
                # itself.
                async with asyncio.timeout(RENEWAL):
                    await lease.release()


async def _take(
    cluster: connections.Cluster, manifest: kinds.Object, over: State | None
) -> kinds.Object:
    """Create it, or replace the version that was seen; an answer that was lost is read back."""
    metadata = manifest["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    holder = manifest["spec"]["holderIdentity"]
    attempts = backoffs.Attempts(_ATTEMPTS)
    async for _ in attempts:
        try:
            if over is None:
                return await writing.create(cluster, kinds.LEASE, manifest)
            manifest["metadata"]["resourceVersion"] = over.version
            return await writing.replace(cluster, kinds.LEASE, manifest)
        except answers.Missing as error:
            if over is None:
                raise NoNamespace("lease.no-namespace", namespace=namespace) from error
            over = None
            del metadata["resourceVersion"]
            attempts.failed(_not_written(manifest), pause=0)
        except (answers.Conflict, answers.Exists, answers.Unanswered) as error:
            stored = await reading.get(cluster, kinds.LEASE, namespace, name)
            if stored is not None and _state(stored).holder == holder:
                # It was only the answer that was lost.
                return stored
            # After a lost answer nothing is decided yet: somebody was faster only where ours conflicts.
            if stored is not None and not isinstance(error, answers.Unanswered):
                raise HeldByAnother(_state(stored)) from None
            attempts.failed(_not_written(manifest), pause=0)
        except errors.Forbidden:
            raise
        except errors.Unreachable as error:
            attempts.failed(error)
    raise attempts.error


def _not_written(manifest: kinds.Object) -> errors.Unreachable:
    return errors.Unreachable("lease.cannot-write", lease=manifest["metadata"]["name"])


def _written(
    stored: kinds.Object,
    holder: str,
    marks: Mapping[str, str],
    now: datetime,
    *,
    since: datetime | None,
) -> kinds.Object:
    metadata, spec = stored["metadata"], dict(stored.get("spec") or {})
    noted = {labels.PREFIX + name: value for name, value in marks.items()}
    annotations = {**(metadata.get("annotations") or {}), **noted}
    labelled = {**(metadata.get("labels") or {})}
    if annotations.get(labels.DEPLOYMENT):
        labelled[labels.DEPLOYMENT] = annotations[labels.DEPLOYMENT]
    if annotations.get(labels.HOLDS):
        labelled[labels.HOLDS] = "true"
    spec["holderIdentity"] = holder
    spec["leaseDurationSeconds"] = int(DURATION)
    spec["renewTime"] = now.astimezone(UTC).strftime(_FORMAT)
    if since is not None:
        spec["acquireTime"] = since.astimezone(UTC).strftime(_FORMAT)
    return {
        "metadata": {**metadata, "annotations": annotations, "labels": labelled},
        "spec": spec,
    }


def _state(stored: kinds.Object) -> State:
    metadata, spec = stored["metadata"], stored.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    return State(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        holder=spec.get("holderIdentity") or "",
        since=str(spec.get("acquireTime") or ""),
        marks={
            name.removeprefix(labels.PREFIX): value
            for name, value in annotations.items()
            if name.startswith(labels.PREFIX)
        },
        duration=float(spec.get("leaseDurationSeconds") or DURATION),
        version=metadata.get("resourceVersion") or "",
    )
