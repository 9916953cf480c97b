"""Deploys: the guards are re-read, the engine begins and is followed, the migrations are proven, the record is closed.

Each event is committed to the history before it is shown.
Expected failures are the last event, ``Closed``; an exception out of the stream is a bug.
Whoever leaves the stream leaves the deployment as it is: the operation goes on, the record says honestly that nobody
has seen its end, and whoever comes next, on whatever machine, goes on with it: every step is announced on the
application's Lease and in the record before its effect, and the effect carries the step's key.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from hanbae import errors, subjects, wording, workspaces
from hanbae.clusters import leases
from hanbae.deploying import (
    aftermath,
    choosing_engine,
    claiming,
    closing,
    deadlines,
    deciding_items,
    following,
    joined,
    occupants,
    orders,
    permitting,
    phases,
    proving,
    recording,
    resuming,
    stopping,
    taking_back,
    unwatched,
    verifying_plan,
)
from hanbae.engines import protocol
from hanbae.migrations import statuses
from hanbae.planning import deployments, ways_back
from hanbae.policy import naming
from hanbae.results import checklists, events, plans
from hanbae.streams import channels


@asynccontextmanager
async def deploying(
    space: workspaces.Workspace,
    plan: plans.Plan,
    *,
    deployment: str,
    by: str,
    limit: float | None = None,
    waits: bool = False,
    past: resuming.Past | None = None,
    stops: bool = False,
    before: checklists.Checked | None = None,
    source: deployments.Source | None = None,
) -> AsyncIterator[AsyncIterator[events.Event]]:
    """One deployment: its events, each committed before it is shown, until ``Closed``.

    Args:
        space: The workspace.
        plan: What to do.
        deployment: The deployment's id.
        by: Who deploys.
        limit: Seconds for all of it; None for the policy's deadlines.
        waits: Wait while somebody else deploys the application, instead of refusing.
        past: What was done of it before, when it is resumed.
        stops: End it instead of going on with it.
        before: What became of the checklist before it, with what is waived.
        source: The service at its commit, if it was read.

    Raises:
        hanbae.deploying.claiming.TakenOver: Out of the iteration: somebody else has gone on with this deployment.
    """
    channel: channels.Channel[events.Event] = channels.Channel()
    recorded = past.recorded if past is not None else ()
    record = recording.Record(
        space.store,
        deployment,
        channel,
        space.clock,
        past=recorded,
        typed=functools.partial(space.typed, plan.environment),
        tells=space.tells,
    )
    own = choosing_engine.driving(space, plan)
    order = orders.Order(own, plan, deployment, by, limit, waits, past, stops, before, source)
    with space.store.watching(deployment):
        async with channel.fed_by(_Run(order, record).through()) as stream:
            yield stream


class _Run:
    """One deployment from ``Opened`` to ``Closed``."""

    def __init__(self, order: orders.Order, record: recording.Record) -> None:
        self._order = order
        self._space = order.space
        self._plan = order.plan
        self._past = order.past
        self._record = record
        self._lease: leases.Lease | None = None
        self._clusters: workspaces.Clusters | None = None
        # A proof that an earlier driver has recorded is not made again, and holds.
        self._proven = set(self._past.proved_databases if self._past is not None else ())
        self._ways_back = taking_back.WaysBack(order, record)
        self._occupants: occupants.Occupants | None = None
        self._limit = None if order.limit is None else deadlines.Limit.beginning(order.limit)
        self._following = following.Following(
            order.space.policy,
            order.plan,
            record,
            limit=self._limit,
            joins=functools.partial(
                joined.before, order.space.store, order.plan, besides=order.deployment
            ),
        )
        self._closing = closing.Closing(order.space, order.plan, record, self._following)
        self._phase = phases.Phase.RESUMED if order.was_announced else phases.Phase.PLANNED

    def _enter(self, phase: phases.Phase) -> None:
        """Move forward to a phase, never back."""
        self._phase = max(self._phase, phase)

    async def through(self) -> None:
        """The whole deployment; expected failures end as ``Closed``.

        Raises:
            hanbae.deploying.claiming.TakenOver: Somebody else goes on with it; closing it is theirs.
        """
        async with AsyncExitStack() as stack:
            try:
                closed = await self._to_the_end(stack)
            except claiming.TakenOver:
                raise
            except errors.Error as error:
                closed = await self._closing.failed(error, self._phase)
            except following.GivenUp as given_up:
                closed = events.Closed("failed", given_up.why)
            # If it was refused before the application was claimed, there is no first event yet.
            await self._open()
            was_begun = self._phase >= phases.Phase.BEGUN
            if (was_begun or self._was_stopped_later) and closed.outcome != "succeeded":
                await self._look_back()
                closed = await self._closing.with_command(closed)
            # Before the Lease is released: if we are killed in between, the next command finds the
            # end in this history (`resuming.of_application`).
            await self._record.add(None, closed)
            if (lease := self._lease) is not None:
                # A Lease that could not be released counts as given up once nobody renews it.
                with contextlib.suppress(errors.Error):
                    await lease.release(claiming.marks_at_end(lease, closed.outcome, self._phase))

    async def _to_the_end(self, stack: AsyncExitStack) -> events.Closed:
        """Claim the application, then drive until the end, or until somebody wants it stopped."""
        order, space, plan = self._order, self._space, self._plan
        clusters = await stack.enter_async_context(space.clusters(plan.environment))
        self._clusters = clusters
        lease, before = await stack.enter_async_context(
            claiming.claimed(
                space,
                clusters.workload,
                order.deployment,
                plan,
                by=order.opened_by,
                driver=order.by,
                waits=self._waiting if order.waits else None,
                limit=self._limit,
                resumes=order.past is not None,
            )
        )
        self._lease = lease
        # Not earlier: until something is claimed, a cluster that does not answer is
        # reported at once.
        clusters.outlast_restarts()
        await self._open()
        leftover = claiming.left_behind(before, order.deployment)
        if leftover is not None:
            await self._record.add(None, events.Noted(leftover))
        engine = choosing_engine.engine(
            space,
            clusters,
            plan.service,
            plan.environment,
            by=order.by,
            deployment=order.deployment,
            revision=plan.revision,
            waits=self._waiting_for_operation if order.waits else None,
        )
        self._record.redact = engine.redact
        self._occupants = occupants.Occupants(
            space, clusters, plan, self._record, engine, proven=self._proven_before()
        )
        if order.stops:
            return await self._stop(clusters, engine, order.by)
        return await self._unless_stopped(clusters, engine, lease)

    async def _unless_stopped(
        self, clusters: workspaces.Clusters, engine: protocol.Engine, lease: leases.Lease
    ) -> events.Closed:
        """Drive until the end, or until somebody marks the Lease with the wish to stop."""
        driving = asyncio.ensure_future(self._drive(clusters, engine, lease))
        stopping = asyncio.ensure_future(lease.marked("stop"))
        try:
            await asyncio.wait({driving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if driving.done():
                return await driving
            driving.cancel()
            # Its cleanup comes before the operation is ended; a running `helm` is
            # allowed to finish.
            await asyncio.gather(driving, return_exceptions=True)
            return await self._stop(clusters, engine, await stopping)
        except leases.HeldByAnother as error:
            raise self._overtaken(error) from None
        finally:
            for task in (driving, stopping):
                task.cancel()
            await asyncio.gather(driving, stopping, return_exceptions=True)

    def _overtaken(self, error: leases.HeldByAnother) -> errors.Error:
        """What it means that somebody else holds the Lease by now: this one writes nothing more."""
        about = claiming.facts(error.lease)
        if error.lease.marks.get("deployment") == self._order.deployment:
            return claiming.TakenOver("deploy.taken-over", place=None, **about)
        # What this driver asked for may still run, so its end is unknown and not refused.
        self._enter(phases.Phase.REQUESTED)
        return errors.Unreachable("deploy.overtaken", place=None, **about)

    async def _waiting(self, busy: leases.State) -> None:
        """Say who is waited for."""
        await self._open()
        await self._note(wording.Text("deploy.waits", claiming.facts(busy)))

    async def _waiting_for_operation(self, text: wording.Text) -> None:
        """Say which operation is waited for, then wait until it has ended."""
        await self._note(text)
        if self._occupants is not None:
            await self._occupants.until_gone(None, limit=self._limit)

    async def _note(self, text: wording.Text) -> None:
        """Say something that concerns no step."""
        await self._record.add(None, events.Noted(text))

    async def _open(self) -> None:
        """The first event, or what is resumed; once."""
        if self._record.written:
            return
        order = self._order
        if order.past is None or not order.past.recorded:
            opened = events.Opened(order.plan, order.opened_by, order.plan.revision)
            await self._record.add(None, opened)
            if order.before is not None:
                await self._record.add(None, events.Decided(order.before))
        if order.resumption is not None:
            await self._record.add(None, events.Noted(order.resumption))

    async def _drive(
        self, clusters: workspaces.Clusters, engine: protocol.Engine, lease: leases.Lease
    ) -> events.Closed:
        # What an earlier driver announced may already run, so its guards are not checked again.
        if not self._order.was_announced:
            permitting.keep(self._order, lease.marks)
            own = self._order.deployment
            await unwatched.until_ended(
                clusters.workload, self._plan, own, self._note, limit=self._limit
            )
            await verifying_plan.keep(self._space, clusters, self._plan)
            await self._ways_back.check(clusters.workload)
        await self._perform(clusters, engine)
        self._enter(phases.Phase.CARRIED_OUT)
        facts = {"service": self._plan.service, "environment": self._plan.environment}
        if not self._plan.deploys:
            return events.Closed("succeeded", wording.Text("rollback.databases-are-back", facts))
        await verifying_plan.check_running(clusters, self._plan, engine.objects)
        await self._prove(clusters)
        failed = await deciding_items.decide(self._order, clusters, self._record, lease.marks)
        if failed is not None:
            return failed
        facts |= {"revision": self._plan.revision[:12]}
        return events.Closed("succeeded", wording.Text("deploy.succeeded", facts))

    async def _stop(
        self, clusters: workspaces.Clusters, engine: protocol.Engine, by: str
    ) -> events.Closed:
        """End what runs of it, because somebody wants that."""
        was_begun = self._phase >= phases.Phase.BEGUN
        self._enter(phases.Phase.REQUESTED)
        for index, step in enumerate(self._plan.steps):
            begun = was_begun or (self._past is not None and index <= self._past.reached)
            if begun and isinstance(step.does, plans.Effect):
                await self._terminate(clusters, engine, step, step.does)
            elif begun and isinstance(step.does, plans.TakeBack):
                await self._ways_back.leave_to_its_end(clusters.workload, step)
        return events.Closed("stopped", wording.Text("deploy.stopped", {"by": by}))

    async def _terminate(
        self,
        clusters: workspaces.Clusters,
        engine: protocol.Engine,
        step: plans.Step,
        does: plans.Effect,
    ) -> None:
        """End the operation, but never in the middle of a migration that nothing would take back."""
        before = self._proven_before()
        if self._was_stopped_later:
            await self._read_migrations(clusters)
        running = await stopping.bare_running(clusters.workload, self._plan, before=before)
        if running:
            limit = naming.seconds(self._space.policy.migrations.deadline)
            text = stopping.waited_for(running, deadline=limit)
            await self._record.add(step.id, events.Noted(text))
            await stopping.until_safe(clusters.workload, self._plan, deadline=limit, before=before)
            if self._was_stopped_later:
                # Read again: the migrations that were waited for have logged more since.
                await self._read_migrations(clusters)
        was_ended = await engine.stop(does, proving.key(self._order.deployment, step.id))
        if was_ended:
            await self._record.add(step.id, events.Noted(wording.Text("deploy.terminated")))
        # Also where nothing was ended: an earlier `stop` may have been broken off while it waited.
        deleted = not was_ended
        pods = await stopping.still_running(clusters.workload, self._plan, deleted=deleted)
        started = [pod.ref for pod in pods if pod.was_started]
        if started:
            facts = {"pods": ", ".join(map(str, started))}
            text = wording.Text("deploy.pods-ending", facts)
            await self._record.add(step.id, events.Noted(text))
        if pods:
            await stopping.until_ended(clusters.workload, self._plan, deleted=deleted)

    async def _read_migrations(self, clusters: workspaces.Clusters) -> None:
        """Learn from the record and the logs where the databases are, which this driver has not watched."""
        jobs = [step.does.hook for step in self._plan.steps if isinstance(step.does, plans.Prove)]
        for job in dict.fromkeys(jobs):
            for line in self._past.lines(job) if self._past is not None else ():
                self._following.read(job, line)
            for line in await stopping.log_lines(clusters.workload, job):
                self._following.read(job, line)

    def _proven_before(self) -> dict[str, int]:
        """Database → version, by the last deployment in the history that proved it."""
        return aftermath.proven(self._space.store, self._plan, besides=self._order.deployment)

    async def _look_back(self) -> None:
        """Record where each database stands and what still serves, for whoever must decide what to do next."""
        unseen = self._ways_back.unseen
        before = aftermath.before(self._space.store, self._plan, self._order.deployment)
        standing = aftermath.databases(
            self._plan,
            self._following,
            applied={p.database: self._applied_by(p.hook) for p in ways_back.proofs(self._plan)},
            stood_before={name: before[name] for name in before if name not in unseen},
            proven=self._proven,
        )
        for migrated in standing:
            await self._record.add(None, migrated)
        if unseen:
            await self._note(self._ways_back.going_on)
        if self._clusters is not None:
            for text in await aftermath.serving(self._clusters.workload, self._plan):
                await self._record.add(None, events.Noted(text))

    @property
    def _was_stopped_later(self) -> bool:
        """Whether this driver only ends what an earlier one had announced."""
        return self._order.stops and self._order.was_announced

    async def _perform(self, clusters: workspaces.Clusters, engine: protocol.Engine) -> None:
        """The engine's steps, one after the other; those that a later one was announced after are done."""
        past = self._past
        for index, step in enumerate(self._plan.steps):
            if not isinstance(step.does, plans.Effect | plans.TakeBack):
                continue
            if past is not None and index < past.reached:
                self._enter(phases.Phase.BEGUN)
                continue
            key = proving.key(self._order.deployment, step.id)
            if isinstance(step.does, plans.TakeBack):
                had = await self._ways_back.had(clusters.workload, step)
                await self._announce(step.id, key, *had)
                self._enter(phases.Phase.REQUESTED)
                try:
                    await self._ways_back.take(clusters.workload, step)
                finally:
                    # A Job that was refused has begun nothing.
                    if self._ways_back.has_begun(step):
                        self._enter(phases.Phase.BEGUN)
                continue
            previous = past.previous(step.id) if past is not None else None
            # Otherwise an earlier driver has put it on the Lease; asked now, the engine might
            # report this step's own operation.
            if previous is None:
                await self._announce(step.id, key, known=await engine.previous())
            else:
                await self._intend(step.id, key)
            await self._sync(clusters, step, step.does, engine, key=key, previous=previous)

    async def _announce(self, step: str, key: str, *had: int, **marks: str) -> None:
        """Say in the cluster and in the record what is about to be done, before it is."""
        # The Lease first: other machines resume from it, and `known` is stored nowhere else.
        if self._lease is not None:
            await self._lease.mark(step=step, key=key, **marks)
        await self._intend(step, key, *had)

    async def _intend(self, step: str, key: str, *had: int) -> None:
        if self._past is None or key not in self._past.intended:
            await self._record.add(step, events.Intended(key, had))

    async def _prove(self, clusters: workspaces.Clusters) -> None:
        """The proofs, side by side; they only read. They are recorded in the order of the plan."""
        release = naming.release(self._space.policy, self._plan.service, self._plan.environment)
        proven = self._past.proved if self._past is not None else frozenset()
        running: list[tuple[str, asyncio.Task[events.Proved]]] = []
        try:
            for step in self._plan.steps:
                if isinstance(step.does, plans.Prove) and step.id not in proven:
                    key = proving.key(self._order.deployment, step.id)
                    # The Lease holds one step, and any proof on it says that migrating has ended
                    # (`deployments.is_proof`).
                    await (self._intend if running else self._announce)(step.id, key)
                    proof = proving.prove(
                        clusters.workload,
                        self._plan,
                        step.does,
                        name=f"{release}-{step.id}",
                        key=key,
                        applied=self._applied_by(step.does.hook),
                        redact=self._record.redact,
                    )
                    running.append((step.id, asyncio.create_task(proof)))
            for step_id, task in running:
                proved = await task
                self._proven.add(proved.database)
                await self._record.add(step_id, proved)
                ahead = proving.ahead(self._plan, proved, self._following.reached)
                if ahead is not None:
                    await self._record.add(step_id, events.Noted(ahead))
        finally:
            for _, task in running:
                task.cancel()
            await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    def _applied_by(self, hook: subjects.Ref) -> set[int]:
        """The versions that a hook's log says were applied, before a crash or since."""
        if self._following.is_joined:
            return set()  # they are the earlier deployment's
        versions = set(self._following.applied.get(hook, ()))
        for line in self._past.lines(hook) if self._past is not None else ():
            version = statuses.applied(line)
            versions |= {version} if version is not None else set()
        return versions

    async def _begin(
        self,
        step: plans.Step,
        does: plans.Effect,
        engine: protocol.Engine,
        *,
        key: str,
        previous: str | None,
    ) -> str:
        """Have the engine begin; a hopeless operation of automation's own that is in the way is ended first."""
        while True:
            try:
                return await engine.begin(does, key, previous=previous)
            except protocol.Busy:
                if self._occupants is None or not await self._occupants.clear(step.id):
                    raise

    async def _sync(
        self,
        clusters: workspaces.Clusters,
        step: plans.Step,
        does: plans.Effect,
        engine: protocol.Engine,
        *,
        key: str,
        previous: str | None,
    ) -> None:
        """Have the engine deploy, follow it, and end it when waiting is of no use."""
        self._enter(phases.Phase.REQUESTED)
        operation = await self._begin(step, does, engine, key=key, previous=previous)
        self._enter(phases.Phase.BEGUN)
        try:
            async with engine.follow(operation) as stream:
                await self._following.follow(step, does, engine, stream, self._occupants)
        except following.GivenUp as given_up:
            await self._terminate(clusters, engine, step, does)
            raise given_up from None
        if not (isinstance(does, plans.Sync) and does.only):
            self._following.check_images(engine)
