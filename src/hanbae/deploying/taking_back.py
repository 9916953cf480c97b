"""Takes the newest migrations of a database back: goose's ``down-to``, from inside the cluster, and what it says then.

Before the first one every database is asked whether the image has the files that the plan takes back: what differs
refuses, and nothing was changed. A Job that has begun is left to its end, whoever goes away.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from hanbae import errors, wording
from hanbae.argo import proof_rules
from hanbae.clusters import awaiting, connections, kinds, probes, reading
from hanbae.deploying import orders, proving, recording
from hanbae.migrations import statuses
from hanbae.planning import proofs
from hanbae.policy import naming
from hanbae.results import events, plans


class WaysBack:
    """The ways back of one deployment; none, mostly.

    Args:
        order: The deployment.
        record: Its record.
    """

    def __init__(self, order: orders.Order, record: recording.Record) -> None:
        self._deployment = order.deployment
        self._record = record
        self._plan = order.plan
        policy = order.space.policy
        self._release = naming.release(policy, order.plan.service, order.plan.environment)
        # As long as the policy gives a migration, but no longer than the deployer's admission policy
        # allows for such a Job.
        self._within = min(naming.seconds(policy.migrations.deadline), proof_rules.LONGEST)
        self._ended: dict[str, probes.Ended] = {}
        """By step: Jobs that have ended and of which nothing is recorded yet."""
        self._had = dict(order.past.had) if order.past is not None else {}
        """By step: the versions that its database had before."""
        self._reported = dict(order.past.taken_back) if order.past is not None else {}
        """By step: the versions of which the record says already that they were taken back."""
        self._begun = set(self._had)
        """Steps of which a Job may have been made, by this driver or an earlier one."""
        self.unseen = {
            _way(step).database
            for step in self._plan.steps
            if step.id in self._begun - self._reported.keys()
        }
        """Databases that goose may be taking back, or have taken back, without anybody having seen how it ended."""

    @property
    def going_on(self) -> wording.Text:
        """That nobody has seen the end of some, and what comes next."""
        facts = {
            "databases": ", ".join(sorted(self.unseen)),
            "service": self._plan.service,
            "environment": self._plan.environment,
        }
        return wording.Text("rollback.goose-goes-on", facts)

    async def check(self, cluster: connections.Cluster) -> None:
        """Hold the files in the image that takes databases back against the plan, before anything is changed.

        Raises:
            hanbae.errors.Failed: It has others than its commit, or goose could not say.
            hanbae.errors.Refused: The cluster does not let goose take anything back.
        """
        for step in self._plan.steps:
            if isinstance(step.does, plans.TakeBack):
                proof = step.does.proof
                await self._let_in(cluster, step)
                status = await self._ask(cluster, step, proof, "before")
                self._had[step.id] = status.applied
                # `goose status` lists exactly the files of the image's folder.
                differing = {*status.applied, *status.pending} ^ set(proof.versions)
                further = {version for version in status.applied if version > step.does.reached}
                for text_id, versions in (
                    ("rollback.other-files", differing),
                    ("rollback.further", further),
                ):
                    if versions:
                        files = ", ".join(map(proof.named, sorted(versions)))
                        facts = {
                            "service": self._plan.service,
                            "environment": self._plan.environment,
                            "database": proof.database,
                            "files": files,
                        }
                        raise errors.Failed(text_id, place=None, **facts)

    async def had(self, cluster: connections.Cluster, step: plans.Step) -> tuple[int, ...]:
        """The versions that a database had before any was taken back: as recorded then, else as goose says now.

        Raises:
            hanbae.errors.Failed: goose could not say.
            hanbae.errors.Unreachable: The cluster did not answer.
        """
        if step.id not in self._had:
            status = await self._ask(cluster, step, _way(step).proof, "before")
            self._had[step.id] = status.applied
        return self._had[step.id]

    async def take(self, cluster: connections.Cluster, step: plans.Step) -> None:
        """Take a database back, and record where goose says it is then, also where goose has stopped on the way.

        Raises:
            hanbae.errors.Failed: goose stopped, or could not say where the database is; its pod cannot start.
            hanbae.errors.Unreachable: The cluster did not answer.
        """
        begins = functools.partial(self._begin, step)
        job, within = self._job(step), float(self._within)
        try:
            ended = await probes.run_to_end(
                cluster, job, deadline=within, stays=True, begins=begins
            )
        except awaiting.CannotStart:
            self.unseen.discard(_way(step).database)
            raise
        self._ended[step.id] = ended
        await self._tell(cluster, step)

    def has_begun(self, step: plans.Step) -> bool:
        """Whether there may have been a Job that takes a step's database back."""
        return step.id in self._begun

    def _begin(self, step: plans.Step) -> None:
        self._begun.add(step.id)
        self.unseen.add(_way(step).database)

    async def _tell(self, cluster: connections.Cluster, step: plans.Step) -> None:
        """Record what has come of a Job that has ended."""
        does, ended = _way(step), self._ended[step.id]
        status = await self._ask(cluster, step, does.proof, "after")
        await self._add(step, self._taken(step, status, ended.log))
        del self._ended[step.id]
        remaining_versions = [number for number in does.versions if number in status.applied]
        if remaining_versions or not ended.succeeded:
            facts = {
                "database": does.database,
                "version": str(status.version),
                "target": str(does.version),
                "file": does.proof.named(remaining_versions[0]) if remaining_versions else "-",
                "log": proving.last_words(ended, self._record.redact),
            }
            raise errors.Failed("rollback.stopped-at", place=None, **facts)

    async def leave_to_its_end(self, cluster: connections.Cluster, step: plans.Step) -> None:
        """Wait until goose has ended: nothing stops it half way, for no commit knows what would be left.

        What it has done by then is recorded as by :meth:`take`; what was not begun stays undone.

        Raises:
            hanbae.errors.Failed: As for :meth:`take`.
            hanbae.errors.Unreachable: The cluster did not answer.
        """
        if step.id in self._ended:  # its Job is gone, and nothing tells of it yet
            await self._tell(cluster, step)
            return
        metadata = self._job(step)["metadata"]
        job = await reading.get(cluster, kinds.JOB, metadata["namespace"], metadata["name"])
        if job is not None:
            await self.take(cluster, step)  # it finds the Job by its key
            return
        # Its driver may have been killed between goose's end and the record of it.
        if step.id in self._begun:
            fact = self._taken(step, await self._ask(cluster, step, _way(step).proof, "after"))
            self.unseen.discard(fact.database)
            if fact.versions:
                await self._add(step, fact)

    async def _add(self, step: plans.Step, fact: events.TakenBack) -> None:
        await self._record.add(step.id, fact)
        self.unseen.discard(fact.database)
        self._reported[step.id] = self._reported.get(step.id, frozenset()) | set(fact.versions)

    def _taken(
        self, step: plans.Step, status: statuses.Status, log: Sequence[str] = ()
    ) -> events.TakenBack:
        """What was taken back: what the log says, and what the database had and has no more.

        A pod that was evicted has taken its log with it, and so has a Job that nobody lived to read.
        """
        does = _way(step)
        run = {statuses.applied(line) for line in log}
        lost = (
            {*self._had.get(step.id, ())}
            - {*status.applied}
            - self._reported.get(step.id, frozenset())
        )
        versions = tuple(number for number in does.versions if number in run | lost)
        return events.TakenBack(
            does.database,
            status.version,
            versions,
            tuple(map(does.proof.named, versions)),
            sum(1 for number in does.proof.versions if number <= does.version),
            sum(1 for number in status.applied if number <= does.version),
        )

    async def _let_in(self, cluster: connections.Cluster, step: plans.Step) -> None:
        try:
            await probes.let_in(cluster, self._job(step), deadline=float(self._within))
        except errors.Refused as error:
            facts = {
                "environment": self._plan.environment,
                "message": str(error.text.facts.get("message") or "-"),
            }
            raise errors.Refused("rollback.not-let-in", place=None, **facts) from error

    async def _ask(
        self, cluster: connections.Cluster, step: plans.Step, proof: plans.Prove, when: str
    ) -> statuses.Status:
        return await proving.ask(
            cluster,
            proof,
            name=f"{self._release}-{step.id}",
            key=proving.key(self._deployment, f"{step.id}.{when}"),
            redact=self._record.redact,
        )

    def _job(self, step: plans.Step) -> kinds.Object:
        does = _way(step)
        job = proofs.way_back(does.proof.job, does.version, deadline=self._within)
        key = proving.key(self._deployment, step.id)
        return proving.named(job, f"{self._release}-{step.id}", key)


def _way(step: plans.Step) -> plans.TakeBack:
    if not isinstance(step.does, plans.TakeBack):
        raise TypeError(step.id)
    return step.does
