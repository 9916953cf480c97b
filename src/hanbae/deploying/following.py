"""Follows what an engine has begun: records what is seen, names causes, and decides when waiting is of no use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Final

import msgspec

from hanbae import errors, subjects, wording
from hanbae.argo import hooks
from hanbae.clusters import kinds
from hanbae.deploying import deadlines, giving_up, joined, occupants, recording
from hanbae.diagnosing import causes, externalsecrets, jobs, pictures
from hanbae.engines import protocol, rollouts
from hanbae.migrations import statuses
from hanbae.policy import documents, naming
from hanbae.results import events, guards, plans

LOOK: Final = 0.5
"""Seconds between two looks for causes when nothing is told: that a probe fails for the third time is no news."""


class GivenUp(Exception):
    """Waiting is of no use any more."""

    def __init__(self, why: wording.Text) -> None:
        super().__init__(str(why))
        self.why = why


class Following:
    """Follows the operations of one deployment.

    Args:
        policy: The policy.
        plan: The deployment's plan.
        record: Where everything is recorded.
        joins: Whose operation it was before, of one that has begun.
        limit: When all of it must be over, by the monotonic clock; None for the policy's deadlines.
    """

    def __init__(
        self,
        policy: documents.Policy,
        plan: plans.Plan,
        record: recording.Record,
        *,
        limit: deadlines.Limit | None,
        joins: Callable[[events.Began], joined.Joined | None] = lambda _: None,
    ) -> None:
        self.applied: dict[subjects.Ref, set[int]] = {}
        """Migration Job → versions that its log says were applied."""
        self.reached: dict[subjects.Ref, int] = {}
        """Migration Job → version at which its log says that the database is."""
        self.is_joined = False
        """Whether the operation is one that an earlier deployment has followed."""
        self._joins = joins
        self._policy = policy
        self._plan = plan
        self._record = record
        self._limit = limit
        self._judge = giving_up.Judge(time.monotonic)
        self._owners: dict[subjects.Ref, subjects.Ref] = {}
        self._numbers: dict[subjects.Ref, str] = {}
        """Pod of an Indexed Job → its number, of which each has attempts of its own."""

    @property
    def gravest(self) -> events.Diagnosed | None:
        """The cause to name when all is over."""
        return self._judge.gravest

    async def follow(
        self,
        step: plans.Step,
        does: plans.Effect,
        engine: protocol.Engine,
        stream: AsyncIterator[protocol.EngineEvent],
        others: occupants.Occupants | None = None,
    ) -> None:
        """Record what is seen and name the causes, until all is well or nothing will be.

        Raises:
            hanbae.errors.Failed: The operation or the rollout has failed.
            GivenUp: A fatal cause has lasted too long, or the time is over.
        """
        try:
            await self._until_over(step, does, engine, stream, others)
        except (errors.Failed, GivenUp) as error:
            # A failure comes out of the stream, so what led to it was not looked at yet.
            if isinstance(error, errors.Failed):
                await self._diagnose(step, engine)
            await self._tell(step, self._judge.rest())
            raise

    async def _until_over(
        self,
        step: plans.Step,
        does: plans.Effect,
        engine: protocol.Engine,
        stream: AsyncIterator[protocol.EngineEvent],
        others: occupants.Occupants | None,
    ) -> None:
        pace = deadlines.Pace(self._policy, does, limit=self._limit)
        # One pending read is kept across timeouts: `wait_for` would cancel it, which ends
        # the generator.
        pending = asyncio.ensure_future(_next(stream))
        try:
            while True:
                within = min(pace.within(self._judge.within()), LOOK)
                finished, _ = await asyncio.wait({pending}, timeout=within)
                fact = None
                if finished:
                    fact = pending.result()
                    if fact is None:
                        return
                    pending = asyncio.ensure_future(_next(stream))
                    await self._see(step, fact, engine)
                if engine.is_blocked and others is not None:
                    await others.look_again(step.id)
                pace.holds(engine.is_blocked)
                pace.saw(fact)
                looks = pace.looks(fact)
                if looks:
                    await self._diagnose(step, engine)
                verdict = self._judge.verdict()
                if verdict is not None and not looks:
                    # What the last look saw may have passed: an Event that says so wakes nobody.
                    await self._diagnose(step, engine)
                    verdict = self._judge.verdict()
                if verdict is not None:
                    raise GivenUp(verdict.cause)
                await self._note_stall(step, pace, engine)
                if pace.over:
                    cause = self._judge.gravest
                    if cause is not None:
                        await self._record.add(step.id, events.Noted(pace.deadline))
                    raise GivenUp(cause.cause if cause is not None else pace.deadline)
        finally:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)

    async def _note_stall(
        self, step: plans.Step, pace: deadlines.Pace, engine: protocol.Engine
    ) -> None:
        """Say that nothing has happened for long, unless a cause that stands says what is awaited."""
        now = self._record.now()
        stalled = list(pace.stalled(engine.awaits, now))
        if not stalled or self._judge.stands:
            return
        for text in stalled:
            await self._record.add(step.id, events.Noted(text))
        # That no operator has come to it no event tells, only the time.
        silent = externalsecrets.causes(self._picture(engine, now))
        await self._tell(step, [cause.diagnosis for cause in silent])

    async def _see(
        self, step: plans.Step, fact: protocol.EngineEvent, engine: protocol.Engine
    ) -> None:
        earlier = self._joins(fact) if isinstance(fact, events.Began) else None
        if earlier is not None:
            self.is_joined = True
            self._record.seen_before(earlier.recorded)
        await self._record.add(step.id, fact)
        if earlier is not None:
            facts = {"deployment": earlier.deployment}
            await self._record.add(step.id, events.Noted(wording.Text("deploy.joined", facts)))
        if isinstance(fact, events.Observed) and fact.on.kind == "Pod":
            pod = engine.objects.get(fact.on)
            owner = pictures.owner(pod) if pod else None
            if pod is not None and owner is not None:
                # Remembered, because the pod may be gone when its last lines are read.
                self._owners[fact.on] = owner
                self._numbers[fact.on] = jobs.number(pod)
        if isinstance(fact, events.Logged) and fact.pod in self._owners:
            self.read(self._owners[fact.pod], fact.line)

    def job_of(self, subject: subjects.Ref) -> subjects.Ref | None:
        """The Job that something is, or whose pod it was; None for what is no Job's."""
        job = subject if subject.kind == "Job" else self._owners.get(subject)
        return job if job is not None and job.kind == "Job" else None

    def read(self, job: subjects.Ref, line: str) -> None:
        """Take note of what a line of a migration Job's log says of its database.

        Args:
            job: The Job; it is noted under the name of the plan's hook, which Kubernetes may have completed.
            line: The line.
        """
        proofs = (step.does for step in self._plan.steps if isinstance(step.does, plans.Prove))
        names = [proof.hook for proof in proofs if hooks.is_same(proof.hook, job)]
        job = max(names, key=lambda hook: len(hook.name), default=job)
        version = statuses.applied(line)
        if version is not None:
            self.applied.setdefault(job, set()).add(version)
        reached = statuses.reached(line)
        if reached is not None:
            self.reached[job] = reached

    def lasting_command(self, diagnosis: events.Diagnosed) -> tuple[str, ...]:
        """The command of a diagnosis, or one in its place that is still true when the deployment has ended.

        Jobs of hooks and their pods go with the sync; what they have written is in the history.
        """
        job = self.job_of(diagnosis.subject)
        if diagnosis.command[:1] == ("hanbae",) or job is None:
            return diagnosis.command
        gone = {diagnosis.subject.name, job.name}
        gone |= {pod.name for pod, owner in self._owners.items() if owner == job}
        if not any(word.rpartition("/")[2] in gone for word in diagnosis.command):
            return diagnosis.command
        return ("hanbae", "history", "show", self._record.deployment)

    def failed(self, job: subjects.Ref) -> str:
        """The file at which the last attempt of a migration Job stopped; empty where none failed.

        Of an Indexed Job each number has a last attempt, and the one that stopped counts.
        """
        own = [pod for pod, owner in self._owners.items() if hooks.is_same(job, owner)]
        logs = [(pod, lines) for (pod, _), lines in self._record.logs.items() if pod in own]
        last = {self._numbers[pod]: pod for pod, _ in logs}
        failures = [statuses.failure(lines) for pod, lines in logs if pod in last.values()]
        return next((failure.file for failure in reversed(failures) if failure is not None), "")

    async def _diagnose(self, step: plans.Step, engine: protocol.Engine) -> None:
        await self._tell(step, self._judge.hear(causes.named(self._picture(engine))))

    def _picture(self, engine: protocol.Engine, now: datetime | None = None) -> pictures.Picture:
        return pictures.Picture(
            engine.objects,
            self._record.logs,
            service=self._plan.service,
            environment=self._plan.environment,
            secret=naming.secret(self._policy, self._plan.service, self._plan.environment),
            crashes=self._policy.rollout.crashes,
            crashes_before=engine.crashes_before,
            maker=kinds.of_secrets(self._policy.secrets.provider).kind,
            now=now,
        )

    async def _tell(self, step: plans.Step, diagnosed: Iterable[events.Diagnosed]) -> None:
        for diagnosis in list(diagnosed):
            command = self.lasting_command(diagnosis)
            await self._record.add(step.id, msgspec.structs.replace(diagnosis, command=command))

    def check_images(self, engine: protocol.Engine) -> None:
        """Hold what runs against what the plan promised.

        Raises:
            hanbae.errors.Failed: An override that is not in git changed an image.
        """
        running = {
            (ref, container): image
            for ref, workload in engine.objects.items()
            if ref.kind in rollouts.KINDS
            for container, image in rollouts.images(workload).items()
        }
        for guard in guards.of(self._plan):
            if not isinstance(guard, guards.RunningImage):
                continue
            image = running.get((guard.workload, guard.container))
            if image is not None and image != guard.image:
                raise errors.Failed(
                    "deploy.other-image",
                    object=f"{guard.workload}:{guard.container}",
                    expected=guard.image,
                    image=image,
                )


async def _next(stream: AsyncIterator[protocol.EngineEvent]) -> protocol.EngineEvent | None:
    """The next one, or None at the end."""
    return await anext(stream, None)
