"""Deploys through Argo CD: starts the operation, or refreshes and follows the automated sync.

Which operation counts is :mod:`hanbae.engines.argocd.steering`'s to say, how Argo CD is spoken to (through its
objects or its API) :mod:`hanbae.engines.argocd.transports`'s, what happens to pods
:mod:`hanbae.engines.workloads`'s; here they become one stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final

from msgspec import Struct

from hanbae import errors, excerpts, masking, subjects, wording
from hanbae.argo import applications, operations
from hanbae.clusters import connections, kinds, reading, watching
from hanbae.engines import (
    beforehand,
    describing,
    endings,
    ownership,
    owning_releases,
    protocol,
    snapshots,
    workloads,
)
from hanbae.engines.argocd import application_handles, refreshing, steering, transports
from hanbae.results import plans
from hanbae.streams import channels

_LOOK: Final = 2.0
"""Seconds between two looks at ExternalSecrets that nobody watches."""

DRAINS_WITHIN: Final = 10.0
"""Seconds for the rest of the hooks' logs after the operation has ended."""


class Target(Struct, frozen=True):
    """What one deployment deploys to.

    Attributes:
        application: Name of the Application.
        argocd: Namespace of Argo CD's objects.
        namespace: Namespace of the release.
        release: The Helm release, by whose label most of its objects are found; empty for a service without a chart.
        secret: The service's Secret.
        maker: The kind of which a controller makes it.
        owned: What makes an Application of this name ours; None to take any.
    """

    application: str
    argocd: str
    namespace: str
    release: str
    secret: str
    maker: kinds.Kind = kinds.SEALEDSECRET
    owned: applications.Owned | None = None


class ArgoCD:
    """The engine for one deployment.

    Args:
        application: The Application, through whichever transport.
        workload: The cluster of the pods.
        target: What it deploys to.
        by: Who deploys, for ``initiatedBy``.
        about: What else its operations say about themselves.
        waits: Told of somebody else's operation that is waited for; None to refuse instead.
    """

    def __init__(
        self,
        application: transports.Application,
        workload: connections.Cluster,
        target: Target,
        *,
        by: str,
        about: Mapping[str, str] | None = None,
        waits: Callable[[wording.Text], Awaitable[None]] | None = None,
    ) -> None:
        self._about = dict(about or {})
        self._subject = {name: self._about.get(name) or "-" for name in ("service", "environment")}
        self._waits = waits
        self._cluster = workload
        self._target = target
        self._by = by
        self._ref = application.ref
        self._application = application
        self._begun: _Begun | None = None
        self._shapes = masking.Redactor()

    @property
    def objects(self) -> Mapping[subjects.Ref, kinds.Object]:
        """The objects that belong to the deployment now."""
        if self._begun is None:
            return {}
        present = dict(self._begun.workload.objects)
        if self._begun.steering.application:
            present[self._ref] = dict(self._begun.steering.application)
        return present

    @property
    def crashes_before(self) -> Mapping[tuple[subjects.Ref, str], int]:
        """How often containers had ended before; see :class:`hanbae.engines.protocol.Engine`."""
        return self._begun.workload.crashes_before if self._begun is not None else {}

    @property
    def awaits(self) -> tuple[wording.Text, ...]:
        """What is waited for now."""
        if self._begun is None:
            return ()
        operation = self._begun.steering.operation
        if self._begun.awaits or operation is None:
            waiting = self._begun.steering.blocked() or wording.Text(
                "argo.awaits-operation", {"application": self._ref.name}
            )
            return self._begun.awaits or (waiting,)
        return (wording.Text("argo.awaits-end", {"message": operation.message}),)

    @property
    def is_blocked(self) -> bool:
        """Whether automation cannot begin because Argo CD is busy with somebody else's operation."""
        return self._begun is not None and self._begun.steering.blocked() is not None

    async def occupant(self) -> protocol.Occupant | None:
        """Somebody else's operation; see :class:`hanbae.engines.protocol.Engine`."""
        application = await self._application.read()
        active = operations.active(application) if application is not None else None
        if active is None or self._is_own(active):
            return None
        target = self._target
        objects, logs = await snapshots.of_operation(
            self._cluster,
            operation_of(active),
            [result.ref for result in active.results if result.hook],
            namespace=target.namespace,
            release=target.release,
            secret=target.secret,
            maker=target.maker,
        )
        return protocol.Occupant(
            _identity(active),
            active.revision,
            active.by,
            active.automated,
            active.started,
            excerpts.one_line(active.message) or active.phase,
            objects,
            logs,
        )

    async def end(self, occupant: protocol.Occupant) -> bool:
        """Terminate somebody else's operation; see :class:`hanbae.engines.protocol.Engine`."""
        return await self._application.terminate(
            lambda active: _identity(active) == occupant.identity
        )

    def _is_own(self, operation: operations.Operation) -> bool:
        begun = self._begun
        return begun is not None and (
            operation.key == begun.key
            or (
                isinstance(begun.does, plans.Follow)
                and operations.is_automated(operation, begun.does.revision)
            )
        )

    def redact(self, text: str) -> str:
        """The text without the service's secrets."""
        return self._begun.workload.redact(text) if self._begun else self._shapes(text)

    async def previous(self) -> str:
        """``started`` of the last operation, if not its own; see :class:`hanbae.engines.protocol.Engine`."""
        return _former(await self._application.existing(), self._about.get("revision", ""))

    async def begin(self, does: plans.Effect, key: str, *, previous: str | None = None) -> str:
        """Start the operation, or have Argo CD start it; see :class:`hanbae.engines.protocol.Engine`."""
        if isinstance(does, plans.Upgrade):
            raise TypeError("what Helm carries out is not Argo CD's")
        application = await self._application.existing()
        if not applications.has_one_commit(application):
            raise errors.Refused("argo.several-sources", application=self._ref.name)
        foreign = self._target.owned and applications.foreign(application, self._target.owned)
        if foreign:
            raise errors.Refused.saying(foreign)
        # What Argo CD has deployed before is its own, even with annotations that Helm has left.
        if not applications.was_deployed(application):
            await self._refuse_helm(operations.applied(application))
        target = self._target
        # Before anything is asked for: Jobs that the operation had made by then would count as old.
        workload = await beforehand.workload(
            self._cluster,
            target.namespace,
            target.release,
            target.secret,
            does.hooks,
            maker=target.maker,
            # Argo CD may sync an automated Application at any time, so a change proves
            # nothing there.
            alone=isinstance(does, plans.Sync),
        )
        # None: nobody has begun. Empty: somebody has, at a time when no operation was there.
        resumed, previous = previous is not None, previous or ""
        if not resumed:
            previous = _former(application, does.revision)
        steered = steering.Steering(
            does, key, self._ref, previous=previous, resumed=resumed, subject=self._subject
        )
        self._begun = _Begun(does, key, steered, workload)
        if isinstance(does, plans.Follow):
            steered.since(await self._application.refresh())
        elif resumed and self._has_run(application, does, key, previous):
            steered.since(application)
        else:
            steered.since(await self._ask(does, key))
        return key

    async def _refuse_helm(self, applied: frozenset[subjects.Ref]) -> None:
        """Refuse to take over what Helm has installed: two would change it, and each believe that it is theirs.

        Args:
            applied: What Argo CD has applied already, which leaves no history until a full sync has succeeded.

        Raises:
            hanbae.errors.Refused: A workload of the release is Helm's.
        """
        target = self._target
        for kind in (kinds.DEPLOYMENT, kinds.STATEFULSET) if target.release else ():
            try:
                # By no label: a chart need not mark its objects with their release.
                listed = await reading.metadata(self._cluster, kind, target.namespace)
            except errors.Forbidden:
                continue
            for live in listed:
                ref = subjects.Ref(kind.kind, target.namespace, str(live["metadata"]["name"]))
                if ref in applied or owning_releases.is_labelled(
                    live, application=target.application, release=target.release
                ):
                    continue
                release = owning_releases.release_of(live, target.namespace)
                if release == target.release or (
                    release and ownership.is_marked(live, target.release)
                ):
                    records = ("secret", "-n", ref.namespace, "-l", f"owner=helm,name={release}")
                    command = self._cluster.kubectl("delete", *records)
                    facts = {"object": str(ref), "release": release, "command": command}
                    raise errors.Refused("argo.helm-owns", place=None, **facts)

    def _has_run(
        self, application: kinds.Object, does: plans.Sync, key: str, previous: str
    ) -> bool:
        """Whether what was intended with this key before a crash has run.

        Raises:
            hanbae.errors.Unreachable: Something has, and nobody can tell whether it was this.
        """
        current = operations.current(application)
        if current is None or current.key == key or current.active:
            return False  # asking finds it, or is refused
        # A selective sync leaves no entry in the history.
        if not does.only and applications.deployed_since(application, previous, does.revision):
            return True
        # Another operation has run since, and its record has replaced any trace of ours.
        if current.started != previous:
            raise errors.Unreachable("argo.overwritten", application=self._ref.name, key=key)
        return False

    async def _ask(self, does: plans.Synced, key: str) -> kinds.Object:
        while True:
            try:
                return await self._application.ask(does, key, self._by, about=self._about)
            except protocol.Busy as busy:
                facts = {**busy.text.facts, **self._subject}
                if self._waits is None:
                    raise protocol.Busy(busy.text.id, place=None, **facts) from None
                await self._waits(wording.Text("argo.awaits-other", facts))
                await self._application.idle()

    @asynccontextmanager
    async def follow(self, operation: str) -> AsyncIterator[AsyncIterator[protocol.EngineEvent]]:
        """What happens until the rollout is complete; see :class:`hanbae.engines.protocol.Engine`.

        Raises:
            hanbae.errors.Failed: Out of the iteration, when the operation or the rollout has failed.
            hanbae.engines.protocol.HeadMoved: The branch's head is another revision.
        """
        begun = self._begun
        if begun is None or operation != begun.key:
            message = "follow() is for the operation that begin() returned"
            raise ValueError(message)
        channel: channels.Channel[protocol.EngineEvent] = channels.Channel()
        async with channel.fed_by(self._drive(begun, channel)) as stream:
            yield stream

    async def stop(self, does: plans.Effect, key: str) -> bool:
        """Terminate the operation and wait until it has ended; False where it had ended already.

        Raises:
            hanbae.errors.Unreachable: It did not end in time, or the cluster did not answer.
        """
        return await self._application.terminate(
            # Also Argo CD's own sync of the commit, which the deployment may only be following.
            lambda active: active.key == key or operations.is_automated(active, does.revision)
        )

    async def _drive(self, begun: _Begun, channel: channels.Channel[protocol.EngineEvent]) -> None:
        """Watch, steer and await the rollout."""
        try:
            async with asyncio.TaskGroup() as group:
                begun.workload.start(group, channel)
                succeeded = asyncio.Event()
                group.create_task(self._steer(begun, channel, succeeded))
                for looks in (refreshing.after_hooks, refreshing.after_silence):
                    group.create_task(looks(self._application, begun.steering, begun.workload))
                await succeeded.wait()
                await self._roll_out(begun, channel)
                await begun.workload.drained(limit=DRAINS_WITHIN)
                # Watchers never end by themselves; raising is what cancels their group.
                raise endings.Finished
        except BaseExceptionGroup as errors_:
            error = endings.deepest(errors_)
            if not isinstance(error, endings.Finished):
                raise error from None

    async def _steer(
        self,
        begun: _Begun,
        channel: channels.Channel[protocol.EngineEvent],
        succeeded: asyncio.Event,
    ) -> None:
        """Show every version of the Application to the steering, in order, and make its moves."""
        # It may have gone since it answered.
        present = watching.unversioned(dict(begun.steering.answer))
        versions = self._application.watch(present=present)
        try:
            async with aclosing(versions) as stream:
                async for version in stream:
                    if version.type == "deleted":
                        raise errors.Failed(  # noqa: TRY301  the logs are drained for this one as well
                            "argo.application-deleted", application=self._ref.name
                        )
                    for move in begun.steering.see(version.object):
                        await self._make(begun, move, channel)
                    await begun.workload.applies(operation_of(begun.steering.operation))
                    # `_roll_out` waits for the Application's own status as well.
                    begun.workload.changed.set()
                    if begun.steering.stage == "rolling-out":
                        succeeded.set()
        except errors.Failed:
            # The operation has ended badly: what its pods said last is on its way.
            await begun.workload.applies(operation_of(begun.steering.operation))
            await begun.workload.drained(limit=DRAINS_WITHIN)
            raise

    async def _make(
        self, begun: _Begun, move: steering.Move, channel: channels.Channel[protocol.EngineEvent]
    ) -> None:
        if isinstance(move, steering.Tell):
            await channel.put(move.fact)
        elif isinstance(move, steering.Refresh):
            # Nobody tells when a git host shows a commit that it has; asking again is all there is.
            await asyncio.sleep(move.after)
            begun.steering.since(await self._application.refresh())
        else:
            begun.steering.since(await self._ask(begun.does, begun.key))

    async def _roll_out(
        self, begun: _Begun, channel: channels.Channel[protocol.EngineEvent]
    ) -> None:
        """Wait until everything that was applied runs, and Argo CD says so as well.

        Raises:
            hanbae.errors.Failed: A rollout has failed by its own deadline.
        """
        if isinstance(begun.does, plans.Sync) and begun.does.only:
            await self._unsealed(begun, begun.does.only)
            return
        refs = begun.steering.rolled_out()
        await application_handles.persist(lambda: begun.workload.track(refs))
        while True:
            # Cleared before the look: a change during it must still end the wait below.
            begun.workload.changed.clear()
            waiting = []
            for ref, progress in begun.workload.rollouts(refs).items():
                if progress.state == "Failed":
                    raise errors.Failed(
                        "deploy.rollout-failed", object=str(ref), message=progress.message
                    )
                if not progress.complete:
                    facts = {"object": str(ref), "progress": progress.message or progress.state}
                    waiting.append(wording.Text("deploy.awaits-rollout", facts))
            begun.awaits = (*waiting, *begun.steering.awaits())
            if not begun.awaits:
                break
            await begun.workload.changed.wait()
        for remark in begun.steering.remarks():
            await channel.put(remark.fact)

    async def _unsealed(self, begun: _Begun, only: tuple[subjects.Ref, ...]) -> None:
        """After a selective sync, which waits for nothing: wait until the Secrets of what is in it are made."""
        # Of ExternalSecrets only the one that is called like the Secret is watched.
        read = [ref for ref in only if ref.kind == "ExternalSecret"]
        while True:
            await application_handles.persist(lambda: begun.workload.track(read))
            begun.workload.changed.clear()
            states = {ref: describing.observed(ref, live) for ref, live in self.objects.items()}
            missing = [
                ref
                for ref in _bringing(only)
                if (ref not in states or getattr(states[ref], "state", "") != "Synced")
            ]
            if not missing:
                return
            facts = {"object": ", ".join(map(str, missing)), "progress": "-"}
            begun.awaits = (wording.Text("deploy.awaits-rollout", facts),)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK if read else None):
                    await begun.workload.changed.wait()


def _bringing(refs: Iterable[subjects.Ref]) -> list[subjects.Ref]:
    """What a controller makes Secrets of."""
    return [ref for ref in refs if ref.kind in describing.BRINGING]


class _Begun:
    """What belongs to the operation that was begun."""

    def __init__(
        self,
        does: plans.Synced,
        key: str,
        steered: steering.Steering,
        workload: workloads.Workload,
    ) -> None:
        self.does = does
        self.key = key
        self.steering = steered
        self.workload = workload
        self.awaits: tuple[wording.Text, ...] = ()


def operation_of(operation: operations.Operation | None) -> workloads.Operation:
    """What of Argo CD's operation says which objects belong to it."""
    if operation is None:
        return workloads.Operation()
    results = operation.results
    applied = tuple(result.ref for result in results if result.status == "Synced")
    hooks = tuple(result.ref for result in results if result.hook)
    unended = tuple(result.ref for result in results if result.hook and not result.ended)
    return workloads.Operation(operation.started, applied, hooks, unended)


def _former(application: kinds.Object, revision: str) -> str:
    """``started`` of the last operation that is not a deployment's of a revision; empty where there is none.

    One that still runs is somebody else's, and counts: what the history has of before it was not the deployment. Only
    automation's own of the revision does not, for the deployment follows that.
    """
    last = operations.recorded(application)
    if last is None or (last.active and operations.is_automated(last, revision)):
        return ""
    return last.started


def _identity(operation: operations.Operation) -> str:
    """By which an operation is told from the next one: its start, or what is asked for where it has none yet."""
    return f"{operation.started or 'requested'} {operation.revision} {operation.key}"
