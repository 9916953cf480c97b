"""Deploys: the guards are re-read, the engine begins and is followed, the migrations are proven, the record is closed.

Each event is committed to the history before it is shown.
Expected failures are the last event, ``Closed``; an exception out of the stream is a bug.
Whoever leaves the stream leaves the deployment as it is: the operation goes on, and the record says honestly that
nobody has seen its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from hanbae import errors, subjects, wording
from hanbae.actions import judging, pacing, preparing, proving, recording, workspace
from hanbae.argo import applications, generating
from hanbae.diagnosing import causes, pictures
from hanbae.engines import applications as objects
from hanbae.engines import argocd, channels, rollouts, served, steering, transports
from hanbae.migrations import statuses
from hanbae.policy import naming
from hanbae.results import engines, events, plans

AT_ONCE: Final = 6
"""Deployments of one run that go on at the same time."""


@asynccontextmanager
async def deploying(
    space: workspace.Workspace,
    plan: plans.Plan,
    *,
    deployment: str,
    by: str,
    limit: float | None = None,
) -> AsyncIterator[AsyncIterator[events.Event]]:
    """One deployment: its events, each committed before it is shown, until ``Closed``.

    Args:
        space: The workspace.
        plan: What to do.
        deployment: The deployment's id.
        by: Who deploys.
        limit: Seconds for all of it; None for the policy's deadlines.
    """
    channel: channels.Channel[events.Event] = channels.Channel()
    record = recording.Record(space.store, deployment, channel, space.clock)
    run = _Run(space, plan, deployment, by, record, limit=limit)
    task = asyncio.create_task(_closing(run, channel))
    try:
        async with aclosing(channel.read()) as stream:
            yield stream
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def deploying_all(
    space: workspace.Workspace, prepared: preparing.Prepared, *, limit: float | None = None
) -> AsyncIterator[AsyncIterator[events.Event]]:
    """The deployments of a run side by side, as one stream of events."""
    channel: channels.Channel[events.Event] = channels.Channel()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(deployment: str, plan: plans.Plan) -> None:
        async with (
            places,
            deploying(space, plan, deployment=deployment, by=prepared.by, limit=limit) as stream,
        ):
            async for event in stream:
                await channel.put(event)

    async def every() -> None:
        tasks = [asyncio.create_task(one(*item)) for item in prepared.plans.items()]
        try:
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            channel.close(next((end for end in ends if isinstance(end, BaseException)), None))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run = asyncio.create_task(every())
    try:
        async with aclosing(channel.read()) as stream:
            yield stream
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def _closing(run: _Run, channel: channels.Channel[events.Event]) -> None:
    """Run to the end, and end the stream in every case."""
    try:
        await run.through()
    except asyncio.CancelledError:
        channel.close()
        raise
    except BaseException as error:  # noqa: BLE001  a bug: whoever reads the stream must see it
        channel.close(error)
    else:
        channel.close()


class _GivenUp(Exception):
    """Waiting is of no use any more."""

    def __init__(self, why: wording.Text) -> None:
        super().__init__(str(why))
        self.why = why


class _Run:
    """One deployment from ``Opened`` to ``Closed``."""

    def __init__(
        self,
        space: workspace.Workspace,
        plan: plans.Plan,
        deployment: str,
        by: str,
        record: recording.Record,
        *,
        limit: float | None,
    ) -> None:
        self._space = space
        self._plan = plan
        self._deployment = deployment
        self._by = by
        self._record = record
        self._ends = None if limit is None else time.monotonic() + limit
        self._judge = judging.Judge(time.monotonic)
        self._asked = False
        self._begun = False
        self._owners: dict[subjects.Ref, subjects.Ref] = {}
        self._applied: dict[subjects.Ref, set[int]] = {}

    async def through(self) -> None:
        """The whole deployment; expected failures end as ``Closed``."""
        revision = next(
            step.does.revision
            for step in self._plan.steps
            if isinstance(step.does, plans.Sync | plans.Follow)
        )
        await self._record.add(None, events.Opened(self._plan, self._by, revision))
        try:
            async with self._space.clusters(self._plan.environment) as clusters:
                await self._keep_promises()
                engine = self._engine(clusters)
                self._record.redact = engine.redact
                await self._perform(engine)
                await self._prove(clusters)
            facts = {"service": self._plan.service, "environment": self._plan.environment}
            why = wording.Text("deploy.succeeded", {**facts, "revision": revision[:12]})
            closed = events.Closed("succeeded", why)
        except errors.Error as error:
            closed = await self._failed(error)
        except _GivenUp as given_up:
            closed = events.Closed("failed", given_up.why)
        await self._record.add(None, closed)

    async def _failed(self, error: errors.Error) -> events.Closed:
        """How an expected failure closes the deployment: never "failed" where something may still run."""
        if isinstance(error, steering.Moved):
            return await self._moved(error)
        lost = isinstance(error, errors.Unreachable) and not isinstance(error, errors.Forbidden)
        if self._asked and lost:
            # The answer to a write may be what was lost.
            return events.Closed("unknown", error.text)
        if not self._begun:
            return events.Closed("refused", error.text)
        cause = self._judge.gravest
        if cause is None:
            return events.Closed("failed", error.text)
        await self._record.add(None, events.Noted(error.text))
        return events.Closed("failed", cause.cause)

    async def _moved(self, error: steering.Moved) -> events.Closed:
        """Argo CD sees another head of the branch: somebody pushed, or it reads another repository."""
        wanted = next(
            guard.expected
            for guard in self._plan.guards
            if guard.promise.startswith("branch-head:")
        )
        try:
            head = await self._space.head(self._plan.environment)
        except errors.Error:
            head = wanted
        if head != wanted:
            facts = {"revision": wanted[:12], "head": head[:12]}
            return events.Closed("superseded", wording.Text("deploy.superseded", facts))
        return events.Closed("failed", error.text)

    async def _keep_promises(self) -> None:
        """Re-read what the plan rests on.

        Raises:
            hanbae.errors.Refused: It has changed.
        """
        for guard in self._plan.guards:
            kind, _, branch = guard.promise.partition(":")
            if kind == "branch-head":
                head = await self._space.head(self._plan.environment)
                if head != guard.expected:
                    raise errors.Refused(
                        "deploy.head-moved",
                        branch=branch,
                        expected=guard.expected[:12],
                        head=head[:12],
                    )

    def _engine(self, clusters: workspace.Clusters) -> argocd.ArgoCD:
        policy, service, environment = (
            self._space.policy,
            self._plan.service,
            self._plan.environment,
        )
        expected = generating.application(policy, service, environment)
        source = expected["spec"]["source"]
        target = argocd.Target(
            application=naming.application(service, environment),
            argocd=policy.argocd.namespace,
            namespace=naming.namespace(policy, service, environment),
            release=naming.release(policy, service),
            secret=naming.secret(policy, service),
            owned=applications.Owned(
                repository=source["repoURL"],
                path=source["path"],
                release=source["helm"]["releaseName"],
                namespace=expected["spec"]["destination"]["namespace"],
                labels=expected["metadata"]["labels"],
            ),
        )
        ref = subjects.Ref("Application", target.argocd, target.application)
        through: transports.Application
        if clusters.argocd is not None:
            project = naming.project(policy, environment)
            through = served.Application(clusters.argocd, ref, project=project)
        else:
            made_by = naming.application_set(policy, environment)
            through = objects.Application(clusters.control, ref, made_by=made_by)
        return argocd.ArgoCD(through, clusters.workload, target, by=f"hanbae/{self._by}")

    async def _perform(self, engine: engines.Engine) -> None:
        """The engine's steps, one after the other."""
        for step in self._plan.steps:
            if isinstance(step.does, plans.Sync | plans.Follow):
                key = proving.key(self._deployment, step.id)
                await self._record.add(step.id, events.Intended(key))
                await self._sync(step, step.does, engine, key)

    async def _prove(self, clusters: workspace.Clusters) -> None:
        """The proofs, side by side; they only read. They are recorded in the order of the plan."""
        release = naming.release(self._space.policy, self._plan.service)
        running: list[tuple[str, asyncio.Task[events.Proved]]] = []
        try:
            for step in self._plan.steps:
                if isinstance(step.does, plans.Prove):
                    key = proving.key(self._deployment, step.id)
                    await self._record.add(step.id, events.Intended(key))
                    proof = proving.prove(
                        clusters.workload,
                        step.does,
                        name=f"{release}-{step.id}",
                        key=key,
                        applied=self._applied.get(step.does.hook, ()),
                        redact=self._record.redact,
                    )
                    running.append((step.id, asyncio.create_task(proof)))
            for step_id, task in running:
                await self._record.add(step_id, await task)
        finally:
            for _, task in running:
                task.cancel()
            await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    async def _sync(
        self,
        step: plans.Step,
        does: plans.Sync | plans.Follow,
        engine: engines.Engine,
        key: str,
    ) -> None:
        """Have the engine deploy, follow it, and end it when waiting is of no use."""
        self._asked = True
        operation = await engine.begin(does, key)
        self._begun = True
        try:
            async with engine.follow(operation) as stream:
                await self._follow(step, does, engine, stream)
        except _GivenUp as given_up:
            if await engine.stop(operation):
                await self._record.add(step.id, events.Noted(wording.Text("deploy.terminated")))
            raise given_up from None
        if not (isinstance(does, plans.Sync) and does.only):
            self._check_images(engine)

    async def _follow(
        self,
        step: plans.Step,
        does: plans.Sync | plans.Follow,
        engine: engines.Engine,
        stream: AsyncIterator[engines.Seen],
    ) -> None:
        """Record what is seen and name the causes, until all is well or nothing will be.

        Raises:
            hanbae.errors.Failed: The operation or the rollout has failed.
            _GivenUp: A fatal cause has lasted too long, or the time is over.
        """
        pace = pacing.Pace(self._space.policy, does, ends=self._ends)
        pending = asyncio.ensure_future(_next(stream))
        try:
            while True:
                within = pace.within(self._judge.within())
                done, _ = await asyncio.wait({pending}, timeout=within)
                seen = None
                if done:
                    seen = pending.result()
                    if seen is None:
                        return
                    pending = asyncio.ensure_future(_next(stream))
                    await self._see(step, seen, engine)
                pace.saw(seen)
                if pace.looks(seen):
                    await self._diagnose(step, engine)
                verdict = self._judge.verdict()
                if verdict is not None:
                    raise _GivenUp(verdict.cause)
                for text in pace.stalled(engine.awaits):
                    await self._record.add(step.id, events.Noted(text))
                if pace.over:
                    cause = self._judge.gravest
                    if cause is not None:
                        await self._record.add(step.id, events.Noted(pace.deadline))
                    raise _GivenUp(cause.cause if cause is not None else pace.deadline)
        except errors.Failed:
            await self._diagnose(step, engine)
            raise
        finally:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)

    async def _see(self, step: plans.Step, seen: engines.Seen, engine: engines.Engine) -> None:
        await self._record.add(step.id, seen)
        if isinstance(seen, events.Observed) and seen.on.kind == "Pod":
            thing = engine.objects.get(seen.on)
            owner = pictures.owner(thing) if thing else None
            if owner is not None:
                self._owners[seen.on] = owner
        if isinstance(seen, events.Logged) and seen.pod in self._owners:
            version = statuses.applied(seen.line)
            if version is not None:
                self._applied.setdefault(self._owners[seen.pod], set()).add(version)

    async def _diagnose(self, step: plans.Step, engine: engines.Engine) -> None:
        picture = pictures.Picture(engine.objects, self._record.logs)
        for found in self._judge.hear(causes.named(picture)):
            await self._record.add(step.id, found)

    def _check_images(self, engine: engines.Engine) -> None:
        """Hold what runs against what the plan promised.

        Raises:
            hanbae.errors.Failed: An override that is not in git changed an image.
        """
        running = {
            f"image:{ref}:{container}": image
            for ref, thing in engine.objects.items()
            if ref.kind in rollouts.KINDS
            for container, image in rollouts.images(thing).items()
        }
        for guard in self._plan.guards:
            image = running.get(guard.promise)
            if image is not None and image != guard.expected:
                what = guard.promise.partition(":")[2]
                raise errors.Failed(
                    "deploy.other-image", object=what, expected=guard.expected, image=image
                )


async def _next(stream: AsyncIterator[engines.Seen]) -> engines.Seen | None:
    """The next one, or None at the end."""
    return await anext(stream, None)
