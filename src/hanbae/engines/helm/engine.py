"""Deploys with Helm: what hooks read first, the hooks before, ``helm upgrade --install``, the rollout, the hooks after.

Helm runs no hooks: it would run those of a first install before the Secret that they read is there, or after the
pods that need them. hanbae runs them itself, in Argo CD's order, so that a chart does the same under both; see ADR 15.
Whoever leaves leaves a hook's Job running, and no Helm: that is so short that its end is waited for.
"""

from __future__ import annotations

import asyncio
import copy
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, masking, subjects, wording
from hanbae.clusters import connections, discovering, kinds, reading, writing
from hanbae.engines import (
    beforehand,
    describing,
    endings,
    owning_releases,
    protocol,
    rollouts,
    workloads,
)
from hanbae.engines.helm import jobs, program, records
from hanbae.results import events, plans
from hanbae.streams import channels

DRAINS_WITHIN: Final = 10.0
"""Seconds for the rest of a hook's log after its end."""
LOOK: Final = 0.5
"""Seconds between two looks at whether a SealedSecret is opened."""


class Release(Struct, frozen=True):
    """A release at a commit, rendered and as files.

    Attributes:
        objects: Its objects by how they are pointed at, hooks among them.
        chart: What Helm is given.
    """

    objects: Mapping[subjects.Ref, kinds.Object]
    chart: program.Chart


class Target(Struct, frozen=True):
    """What one deployment deploys to.

    Attributes:
        namespace: Namespace of the release.
        release: The Helm release.
        secret: The service's Secret.
        maker: The kind of which a controller makes it.
        application: Argo CD's Application of that service, where there were one.
        kubeconfig: The kubeconfig; None for those that kubectl would read.
    """

    namespace: str
    release: str
    secret: str
    application: subjects.Ref
    kubeconfig: Path | None = None
    maker: kinds.Kind = kinds.SEALEDSECRET


class Helm:
    """The engine for one deployment.

    Args:
        cluster: The cluster of the pods.
        control: The cluster that Argo CD would be in.
        target: What it deploys to.
        read: Reads the release at the deployment's commit.
        waits: Called with a sentence about somebody else's Helm that is waited for; None to refuse instead.
    """

    def __init__(
        self,
        cluster: connections.Cluster,
        control: connections.Cluster,
        target: Target,
        read: Callable[[], Awaitable[Release]],
        *,
        waits: Callable[[wording.Text], Awaitable[None]] | None = None,
    ) -> None:
        self._cluster = cluster
        self._control = control
        self._target = target
        self._read = read
        self._waits = waits
        self._begun: _Begun | None = None
        self._shapes = masking.Redactor()

    @property
    def objects(self) -> Mapping[subjects.Ref, kinds.Object]:
        """The objects that belong to the deployment now."""
        return self._begun.workload.objects if self._begun is not None else {}

    @property
    def crashes_before(self) -> Mapping[tuple[subjects.Ref, str], int]:
        """How often containers had ended before; see :class:`hanbae.engines.protocol.Engine`."""
        return self._begun.workload.crashes_before if self._begun is not None else {}

    @property
    def awaits(self) -> tuple[wording.Text, ...]:
        """What is waited for now."""
        return self._begun.awaits if self._begun is not None else ()

    @property
    def is_blocked(self) -> bool:
        """Never: what is begun begins at once."""
        return False

    async def occupant(self) -> protocol.Occupant | None:
        """Somebody else's Helm; see :class:`hanbae.engines.protocol.Engine`."""
        target = self._target
        record = await records.last(self._cluster, target.namespace, target.release)
        if record is None or not record.is_pending or record.key:
            return None
        return protocol.Occupant(
            record.uid, "", "", False, record.created, f"{record.name}: {record.status}"
        )

    async def end(self, occupant: protocol.Occupant) -> bool:
        """Nobody can end somebody else's Helm, which is a process on their machine."""
        raise errors.Refused("upgrade.busy-elsewhere", place=None, record=occupant.message)

    def redact(self, text: str) -> str:
        """The text without the service's secrets."""
        return self._begun.workload.redact(text) if self._begun else self._shapes(text)

    async def previous(self) -> str:
        """Helm's number of the last revision; see :class:`hanbae.engines.protocol.Engine`."""
        record = await records.last(self._cluster, self._target.namespace, self._target.release)
        return str(record.number) if record is not None else "0"

    async def begin(self, does: plans.Effect, key: str, *, previous: str | None = None) -> str:
        """Have the API server say whether the release can be installed; see :class:`hanbae.engines.protocol.Engine`.

        Whoever calls holds the Lease. So what hanbae has left pending is nobody's any more.

        Raises:
            hanbae.errors.Refused: Argo CD owns the release, or an object is there already and is not the release's.
            hanbae.errors.Lacking: There is no Helm here.
        """
        if not isinstance(does, plans.Upgrade):
            raise TypeError("what Argo CD carries out is not Helm's")
        path, release = await program.require(), await self._read()
        target = self._target
        await owning_releases.refuse_argo_cd(self._cluster, release.objects)
        await owning_releases.refuse_application(self._control, target.application)
        # Only after the checks above: this may delete a record.
        await self._free()
        await self._run(path, release.chart, dry=True)
        workload = await beforehand.workload(
            self._cluster,
            target.namespace,
            target.release,
            target.secret,
            does.hooks,
            alone=True,
            key=key if previous is not None else "",
            maker=target.maker,
        )
        objects = release.objects
        self._begun = _Begun(does, key, path, release.chart, objects, workload)
        return key

    async def _free(self) -> None:
        """Wait until nobody else's Helm works on the release, and take away the record of one of hanbae's own.

        Raises:
            hanbae.engines.protocol.Busy: Somebody's does, or was ended in the middle, and is not to be waited for.
        """
        target = self._target
        while True:
            history = await records.every(self._cluster, target.namespace, target.release)
            if not history or not history[-1].is_pending:
                return
            if history[-1].key:
                await records.forget(self._cluster, target.namespace, history[-1])
                return
            text = _busy(target, history)
            if self._waits is None:
                raise protocol.Busy.saying(text)
            await self._waits(text)

    @asynccontextmanager
    async def follow(self, operation: str) -> AsyncIterator[AsyncIterator[protocol.EngineEvent]]:
        """Deploy, and say what happens until the rollout is complete; see :class:`hanbae.engines.protocol.Engine`.

        Raises:
            hanbae.errors.Failed: Out of the iteration, when a hook, Helm or the rollout has failed.
        """
        begun = self._begun
        if begun is None or operation != begun.key:
            message = "follow() is for the operation that begin() returned"
            raise ValueError(message)
        channel: channels.Channel[protocol.EngineEvent] = channels.Channel()
        async with channel.fed_by(self._drive(begun, channel)) as stream:
            yield stream

    async def stop(self, does: plans.Effect, key: str) -> bool:
        """Take away the hooks that run; False where none did.

        Raises:
            hanbae.errors.Unreachable: The cluster did not answer.
        """
        ends = [await jobs.end(self._cluster, hook, key) for hook in does.hooks]
        return any(ends)

    async def _drive(self, begun: _Begun, channel: channels.Channel[protocol.EngineEvent]) -> None:
        """Watch and deploy."""
        try:
            async with asyncio.TaskGroup() as group:
                begun.workload.start(group, channel)
                await channel.put(events.Began(begun.key, False, begun.does.revision))
                try:
                    await self._deploy(begun)
                except errors.Failed:
                    # What the pods of a hook said last is on its way.
                    await begun.workload.drained(limit=DRAINS_WITHIN)
                    raise
                await begun.workload.drained(limit=DRAINS_WITHIN)
                # Watchers never end by themselves; raising is what cancels their group.
                raise endings.Finished
        except BaseExceptionGroup as errors_:
            error = endings.deepest(errors_)
            if not isinstance(error, endings.Finished):
                raise error from None

    async def _deploy(self, begun: _Begun) -> None:
        does = begun.does
        await self._bring_first(begun)
        runs: Counter[subjects.Ref] = Counter()
        for hook in does.before:
            runs[hook] += 1
            await self._run_hook(begun, hook, runs[hook])
        await self._install(begun)
        await self._roll_out(begun)
        for hook in does.later:
            runs[hook] += 1
            await self._run_hook(begun, hook, runs[hook])

    async def _bring_first(self, begun: _Begun) -> None:
        """Apply what hooks read as the release's own, so that it adopts it, and wait until secrets are opened."""
        refs, target = begun.does.first, self._target
        await begun.workload.applies(workloads.Operation(applied=refs))
        for ref in refs:
            manifest = copy.deepcopy(begun.objects[ref])
            api_version = str(manifest["apiVersion"])
            kind = await discovering.kind(self._cluster, api_version, ref.kind)
            if kind is None:
                facts = {"object": str(ref), "api_version": api_version, "kind": ref.kind}
                raise errors.Failed("overlay.unknown-kind", place=None, **facts)
            manifest["metadata"]["namespace"] = ref.namespace
            owning_releases.own(manifest, release=target.release, namespace=target.namespace)
            # As Helm's field manager, so that Helm owns the fields when it applies the
            # release later.
            await writing.apply(self._cluster, kind, manifest, manager=program.MANAGER, force=True)
        waiting = [ref for ref in refs if ref.kind in describing.BRINGING]
        while waiting:
            facts = {"object": ", ".join(map(str, waiting)), "progress": "-"}
            begun.awaits = (wording.Text("deploy.awaits-rollout", facts),)
            waiting = [ref for ref in waiting if not await self._is_opened(ref)]
            if waiting:
                await asyncio.sleep(LOOK)
        begun.awaits = ()

    async def _is_opened(self, ref: subjects.Ref) -> bool:
        live = await reading.get(self._cluster, kinds.named(ref.kind), ref.namespace, ref.name)
        observed = describing.observed(ref, live) if live is not None else None
        return observed is not None and observed.state == "Synced"

    async def _run_hook(self, begun: _Begun, hook: subjects.Ref, run: int) -> None:
        """Run one hook to its end.

        Args:
            begun: The deployment.
            hook: The hook.
            run: Which run of it this is, from 1.

        Raises:
            hanbae.errors.Failed: It has failed, or somebody has taken it away.
        """
        target, workload = self._target, begun.workload
        begun.awaits = (wording.Text("upgrade.awaits-hook", {"job": str(hook)}),)
        job = jobs.marked(
            begun.objects[hook],
            namespace=target.namespace,
            release=target.release,
            key=begun.key,
            run=run,
        )
        created = await jobs.begin(self._cluster, job)
        uid = created["metadata"].get("uid") if created is not None else None
        await workload.track([hook])
        present = False
        while created is not None:
            # Cleared before the look: a change during it must still end the wait below.
            workload.changed.clear()
            live = workload.objects.get(hook)
            # The one before it may still be kept under its name.
            if live is not None and live["metadata"].get("uid") != uid:
                live = None
            if uid in workload.completed or (live is not None and jobs.is_complete(live, hook)):
                break
            if live is None and present:
                raise errors.Failed("upgrade.hook-gone", place=None, job=str(hook))
            present = present or live is not None
            await workload.changed.wait()
        begun.awaits = ()

    async def _install(self, begun: _Begun) -> None:
        """Have Helm install or upgrade the release, unless it has for this very deployment."""
        target = self._target
        begun.awaits = (wording.Text("upgrade.awaits-helm", {"release": target.release}),)
        record = await records.last(self._cluster, target.namespace, target.release)
        if record is None or record.key != begun.key or record.status != "deployed":
            marks = records.marks(begun.key, begun.does.revision, record)
            await self._run(begun.path, msgspec.structs.replace(begun.chart, labels=marks))
            record = await records.last(self._cluster, target.namespace, target.release)
        hooks = set(begun.does.hooks)
        refs = tuple(ref for ref in begun.objects if ref not in hooks)
        started = record.created if record is not None else ""
        await begun.workload.applies(workloads.Operation(started, refs, begun.does.before))
        begun.awaits = ()

    async def _roll_out(self, begun: _Begun) -> None:
        """Wait until everything that was installed runs.

        Raises:
            hanbae.errors.Failed: A rollout has failed by its own deadline.
        """
        workload = begun.workload
        refs = tuple(ref for ref in begun.objects if ref.kind in rollouts.KINDS)
        await workload.track(refs)
        while True:
            workload.changed.clear()
            waiting = []
            for ref, progress in workload.rollouts(refs).items():
                if progress.state == "Failed":
                    facts = {"object": str(ref), "message": progress.message}
                    raise errors.Failed("deploy.rollout-failed", place=None, **facts)
                if not progress.complete:
                    facts = {"object": str(ref), "progress": progress.message or progress.state}
                    waiting.append(wording.Text("deploy.awaits-rollout", facts))
            begun.awaits = tuple(waiting)
            if not waiting:
                return
            await workload.changed.wait()

    async def _run(self, path: str, chart: program.Chart, *, dry: bool = False) -> None:
        context, kubeconfig = self._cluster.context, self._target.kubeconfig
        await program.upgrade(path, chart, context=context, kubeconfig=kubeconfig, dry=dry)


def _busy(target: Target, history: Sequence[records.Record]) -> wording.Text:
    """That somebody else's Helm works on a release, with what ends it where nobody does any more."""
    former = records.before_pending(history)
    command = ["helm", "uninstall", target.release]
    if former is not None:
        command = ["helm", "rollback", target.release, str(former.number)]
    facts = {
        "release": target.release,
        "since": history[-1].created or "-",
        "revision": f"{history[-1].number} {history[-1].status}",
        "command": shlex.join([*command, "--namespace", target.namespace]),
    }
    return wording.Text("upgrade.busy-since", facts)


@dataclass
class _Begun:
    """What belongs to the deployment that was begun."""

    does: plans.Upgrade
    key: str
    path: str
    chart: program.Chart
    objects: Mapping[subjects.Ref, kinds.Object]
    workload: workloads.Workload
    awaits: tuple[wording.Text, ...] = ()
