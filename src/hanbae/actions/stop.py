"""``hanbae stop SERVICE``: ends whatever runs for a service in an environment, whoever has started it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.deploying import choosing_engine, claiming, resuming, stopping
from hanbae.diagnosing import causes, pictures
from hanbae.engines import protocol
from hanbae.planning import deployments
from hanbae.policy import environments, naming
from hanbae.repository import services
from hanbae.results import events, plans


class Stopped(Struct, frozen=True):
    """An operation that was somebody else's.

    Attributes:
        service: The service.
        environment: The environment.
        revision: The commit that it deployed.
        by: Who had started it; empty for Argo CD itself.
        started: When it had begun, in RFC 3339; empty where it had not.
        ended: Whether it was ended; False where it had ended by itself meanwhile.
    """

    service: str
    environment: str
    revision: str
    by: str
    started: str
    ended: bool


class Running:
    """What runs for a service in an environment. Made by :func:`running`.

    Attributes:
        service: The service.
        environment: The environment.
        deployment: Id of hanbae's deployment that somebody drives, or left half done; empty where none is open.
        occupant: The engine's operation where it is not a deployment of hanbae's, or None; with `deployment`, the
            one of another commit that it waits for.
    """

    def __init__(
        self,
        space: workspaces.Workspace,
        clusters: workspaces.Clusters,
        engine: protocol.Engine,
        service: str,
        environment: str,
        *,
        deployment: str,
        occupant: protocol.Occupant | None,
    ) -> None:
        self.service = service
        self.environment = environment
        self.deployment = deployment
        self.occupant = occupant
        self._space = space
        self._clusters = clusters
        self._engine = engine

    @property
    def is_helm(self) -> bool:
        """Whether Helm deploys the environment."""
        return environments.by_helm(self._space.policy, self.environment)

    @property
    def causes(self) -> tuple[events.Diagnosed, ...]:
        """Why the operation does not go on, as far as its objects show."""
        if self.occupant is None:
            return ()
        picture = pictures.Picture(self.occupant.objects, self.occupant.logs)
        return tuple(
            msgspec.structs.replace(
                cause.diagnosis,
                command=self._space.typed(self.environment, cause.diagnosis.command),
            )
            for cause in causes.named(picture)
        )

    async def waits_for(self) -> wording.Text | None:
        """Which migration Jobs must not be interrupted now, so that :meth:`end` waits for them; None for none.

        Where no plan can be made, what is not waited for is said instead.
        """
        plan = await self._plan()
        if plan is None:
            revision = self.occupant.revision if self.occupant is not None else ""
            return wording.Text("stop.unplanned", {"revision": revision[:12] or "-"})
        running = await stopping.bare_running(self._clusters.workload, plan)
        return stopping.waited_for(running, deadline=self._deadline) if running else None

    async def end(self) -> Stopped:
        """End the operation, but never in the middle of a migration that nothing would take back.

        Raises:
            hanbae.errors.Unreachable: Whether it has ended is not known.
        """
        occupant = self.occupant
        assert occupant is not None  # noqa: S101  the caller has looked
        plan = await self._plan()
        workload = self._clusters.workload
        # Before the operation ends: its end kills the pods of its Jobs.
        if plan is not None:
            await stopping.until_safe(workload, plan, deadline=self._deadline)
        ended = await self._engine.end(occupant)
        # A Job that is deleted gives its pods time, in which they may still write to the database.
        if plan is not None:
            await stopping.until_ended(workload, plan, deleted=not ended)
        return Stopped(
            self.service,
            self.environment,
            occupant.revision,
            occupant.by,
            occupant.started,
            ended,
        )

    @property
    def _deadline(self) -> int:
        return naming.seconds(self._space.policy.migrations.deadline)

    async def _plan(self) -> plans.Plan | None:
        """The plan of the operation's commit, which knows its migrations; else that of the branch's head.

        None where neither can be made: nothing is known of migrations then, and `end` waits for none.
        """
        own = self.occupant.revision if self.occupant is not None else ""
        plan = await self._plan_of(own)
        if plan is None:
            # What this clone lacks the remote may have; where that is away, the head is the one that was fetched last.
            with contextlib.suppress(errors.Error):
                await self._space.head(self.environment)
                plan = await self._plan_of(own)
        return plan or await self._plan_of(self._fetched_head())

    async def _plan_of(self, commit: str) -> plans.Plan | None:
        space = self._space
        with contextlib.suppress(errors.Error):
            if commit:
                revision = space.checkout.revision(commit)
                return deployments.plan(
                    await deployments.read(space.policy, revision, self.service, self.environment)
                )
        return None

    def _fetched_head(self) -> str:
        """The head of the environment's branch as last fetched; empty where it has none."""
        branch = self._space.environment(self.environment).branch
        with contextlib.suppress(errors.Error):
            if branch is not None:
                return self._space.checkout.head(self._space.policy.argocd.remote, branch)
        return ""


@contextlib.asynccontextmanager
async def running(
    space: workspaces.Workspace, service: str, environment: str
) -> AsyncIterator[Running]:
    """What runs for a service in an environment now.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
        hanbae.errors.Refused: Nothing runs.
        hanbae.errors.Unreachable: A cluster did not answer.
    """
    services.check(space.loaded, service)
    async with space.clusters(environment) as clusters:
        lease = await claiming.lease(space.policy, clusters.workload, service, environment)
        deployment = revision = ""
        if lease is not None:
            deployment = resuming.left_open(space, lease, service, environment)
            revision = lease.marks.get("revision", "") if deployment else ""
        by = await clusters.identity()
        engine = choosing_engine.engine(space, clusters, service, environment, by=by)
        occupant = await engine.occupant()
        # What the deployment has begun itself is ended with the deployment, by its driver or by who
        # ends it in its place.
        if deployment and occupant is not None and not is_anothers(occupant, revision):
            occupant = None
        if not deployment and occupant is None:
            raise errors.Refused("stop.nothing-runs", service=service, environment=environment)
        yield Running(
            space,
            clusters,
            engine,
            service,
            environment,
            deployment=deployment,
            occupant=occupant,
        )


def is_anothers(occupant: protocol.Occupant, revision: str) -> bool:
    """Whether an operation is not what hanbae's own deployment of a commit has begun, but what it waits for.

    An operation of the same commit is taken for the deployment's own: automation's sync of it is.
    """
    return bool(occupant.revision and revision) and occupant.revision != revision
