"""Finds deployments that nobody drives any more, and what of each was done: in the history, else in the cluster.

The history is the better source, but it is on one machine; the application's Lease, and the operation itself, tell
every machine which deployment it was, of which commit, and which step it had announced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from hanbae import errors, subjects, wording, workspaces
from hanbae.clusters import leases
from hanbae.deploying import choosing_engine, claiming
from hanbae.planning import deployments
from hanbae.policy import environments, naming
from hanbae.repository import services
from hanbae.results import events, plans


class Past(Struct, frozen=True):
    """A deployment that was begun before.

    Attributes:
        deployment: Its id.
        plan: Its plan; made again from its commit where the history is another machine's.
        by: Who deployed.
        recorded: Its events in the history; empty where the history is another machine's.
        marks: What its Lease says of it.
    """

    deployment: str
    plan: plans.Plan
    by: str
    recorded: tuple[events.Event, ...] = ()
    marks: Mapping[str, str] = {}

    @property
    def revision(self) -> str:
        """Its commit."""
        return self.plan.revision

    @property
    def intended(self) -> frozenset[str]:
        """Keys whose intent was committed."""
        return frozenset(e.fact.key for e in self.recorded if isinstance(e.fact, events.Intended))

    @property
    def proved(self) -> frozenset[str]:
        """Steps that were proven."""
        return frozenset(e.step or "" for e in self.recorded if isinstance(e.fact, events.Proved))

    @property
    def proved_databases(self) -> frozenset[str]:
        """Databases that were proven."""
        facts = (event.fact for event in self.recorded)
        return frozenset(fact.database for fact in facts if isinstance(fact, events.Proved))

    @property
    def had(self) -> dict[str, tuple[int, ...]]:
        """Step → the versions that its database had before any was taken back."""
        facts = ((e.step or "", e.fact) for e in self.recorded)
        return {s: f.had for s, f in facts if isinstance(f, events.Intended) and f.had}

    @property
    def taken_back(self) -> dict[str, frozenset[int]]:
        """Step → the versions that the record says were taken back."""
        versions: dict[str, frozenset[int]] = {}
        for event in self.recorded:
            if isinstance(event.fact, events.TakenBack):
                step = event.step or ""
                versions[step] = versions.get(step, frozenset()) | set(event.fact.versions)
        return versions

    @property
    def reached(self) -> int:
        """Index of the last step that was announced; -1 for none."""
        steps = [step.id for step in self.plan.steps]
        intended = [e.step for e in self.recorded if isinstance(e.fact, events.Intended)]
        indexes = [
            steps.index(step) for step in [*intended, self.marks.get("step")] if step in steps
        ]
        return max(indexes, default=-1)

    def lines(self, job: subjects.Ref) -> Iterator[str]:
        """What the pods of a migration Job were seen to write, by the record."""
        jobs = (*self.plan.jobs, job)
        for event in self.recorded:
            fact = event.fact
            if isinstance(fact, events.Logged) and subjects.job_of(fact.pod.name, jobs) == job:
                yield fact.line

    def previous(self, step: str) -> str | None:
        """What was known before the step's operation was asked for; None when it never was announced."""
        ids = [step.id for step in self.plan.steps]
        if step in ids and ids.index(step) > self.reached:
            return None
        return self.marks.get("known", "") if self.marks.get("step") == step else ""

    @property
    def half_done(self) -> wording.Text:
        """What the next command says about it."""
        reached = self.plan.steps[self.reached].id if self.reached >= 0 else "-"
        facts = {
            "deployment": self.deployment,
            "service": self.plan.service,
            "environment": self.plan.environment,
            "step": reached,
            "by": self.by,
        }
        return wording.Text(
            "deploy.resumed" if self.reached >= 0 else "deploy.resumed-unbegun", facts
        )


async def of_application(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> Past | None:
    """The application's last deployment, if it has no end and nobody drives it."""
    lease = await claiming.lease(space.policy, clusters.workload, service, environment)
    # The record is not read before: somebody who drives it may be of a later hanbae, whose record this one cannot read.
    if lease is None or not claiming.is_open(lease):
        return None
    if await claiming.is_driven(clusters.workload, lease):
        return None
    # Read again: while we looked for its driver, it may have ended or another deployment begun.
    lease = await claiming.lease(space.policy, clusters.workload, service, environment)
    if lease is None or not (deployment := left_open(space, lease, service, environment)):
        return None
    events_recorded = recorded(space, deployment)
    if events_recorded and isinstance(events_recorded[-1].fact, events.Closed):
        return None  # its end is known here; only the cluster was never told
    if lease.marks.get("back") and not events_recorded:
        return None  # a rollback is planned anew, by the command that is for it
    return await past(space, lease.marks, events_recorded)


def left_open(
    space: workspaces.Workspace, lease: leases.State, service: str, environment: str
) -> str:
    """Id of the deployment that an application's Lease leaves open; empty where it is none of the application's.

    Whoever may write to the namespace can have the Lease name another environment's deployment: going on with it
    would be done with the rights of whoever deploys next.

    Args:
        space: The workspace.
        lease: The application's Lease.
        service: The application's service.
        environment: The application's environment.
    """
    if not claiming.is_open(lease):
        return ""
    deployment = lease.marks["deployment"]
    opened = next((event.fact for event in recorded(space, deployment)), None)
    if isinstance(opened, events.Opened):  # its plan is what is gone on with, so it decides
        is_own = (opened.plan.service, opened.plan.environment) == (service, environment)
    else:
        is_own = _are_of(lease.marks, service, environment)
    return deployment if is_own else ""


def _are_of(marks: Mapping[str, str], service: str, environment: str) -> bool:
    """Whether marks are of a deployment of an application, and enough to plan it again."""
    application = (marks.get("service"), marks.get("environment"))
    return application == (service, environment) and bool(marks.get("revision"))


def recorded(space: workspaces.Workspace, deployment: str) -> tuple[events.Event, ...]:
    """A deployment's events in the history; none where it is another machine's."""
    return tuple(space.store.events(deployment))


async def past(
    space: workspaces.Workspace,
    marks: Mapping[str, str],
    events_recorded: tuple[events.Event, ...],
) -> Past:
    """A deployment from what is known of it.

    Raises:
        hanbae.errors.Error: It must be planned again, and cannot be.
        hanbae.errors.Refused: It is a rollback of another machine's history.
    """
    if events_recorded and isinstance(events_recorded[0].fact, events.Opened):
        first = events_recorded[0].fact
        return Past(events_recorded[0].deployment, first.plan, first.by, events_recorded, marks)
    service, environment = marks["service"], marks["environment"]
    if marks.get("back"):
        # Its plan is in another history; made from its commit alone it would leave out the way back of the databases.
        facts = {"service": service, "environment": environment}
        raise errors.Refused("rollback.elsewhere", place=None, **facts)
    await space.head(environment)  # fetches: the commit may be one that was never here
    source = await deployments.read(
        space.policy, space.checkout.revision(marks["revision"]), service, environment
    )
    by = marks.get("by") or "-"
    return Past(marks["deployment"], deployments.plan(source), by, (), marks)


async def locate(
    space: workspaces.Workspace,
    deployment: str,
    *,
    environment: str | None = None,
    service: str | None = None,
) -> tuple[str, Mapping[str, str]]:
    """The service and what the cluster says of a deployment that the history may not have.

    Args:
        space: The workspace.
        deployment: The whole id.
        environment: Where it is looked for; None for everywhere.
        service: The service whose it must be; None for any.

    Returns:
        The id, and the marks of its Lease, or what its operation says.

    Raises:
        hanbae.errors.WrongUse: It is nowhere.
        hanbae.errors.Forbidden: It may be where one may not look.
    """
    names = [environment] if environment else list(environments.on_kubernetes(space.policy))
    forbidden = None
    for name in names:
        try:
            async with space.clusters(name) as clusters:
                marks = await _marks(space, clusters, deployment, name, service)
        except errors.Forbidden as error:
            # Who deploys to one environment need not see the others.
            forbidden = forbidden or error
        else:
            if marks:
                return deployment, marks
    if forbidden is not None:
        raise forbidden
    raise errors.WrongUse("attach.nowhere", deployment=deployment, environments=", ".join(names))


async def _marks(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    deployment: str,
    environment: str,
    whose: str | None,
) -> Mapping[str, str]:
    """What a Lease of the environment, or an operation, says of the deployment; nothing where none does."""
    names = (whose,) if whose else tuple(services.of_checkout(space.loaded))
    for namespace in sorted({naming.namespace(space.policy, name, environment) for name in names}):
        for lease in await leases.find(clusters.workload, namespace, deployment):
            service = lease.marks.get("service", "")
            is_named = lease.name == naming.lease(service, environment)
            is_there = namespace == naming.namespace(space.policy, service, environment)
            is_meant = is_named and is_there and whose in {None, service}
            if is_meant and _are_of(lease.marks, service, environment):
                return lease.marks
    for service in names:
        marks = await choosing_engine.marks(space, clusters, service, environment, deployment)
        if _are_of(marks, service, environment):
            return marks
    return {}
