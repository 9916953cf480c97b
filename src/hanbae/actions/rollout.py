"""``hanbae rollout``: the pods of a service started anew, followed, or put back, with an eye on who owns them.

``kubectl rollout`` knows neither git, nor Argo CD, nor the database. An undo in an automated environment is reverted
by Argo CD within seconds; an undo across a migration starts a program whose schema is no longer there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct, structs

from hanbae import errors, subjects, workspaces
from hanbae.argo import applications
from hanbae.argocd_api import comparing
from hanbae.clusters import connections, kinds, reading, watching
from hanbae.deploying import aftermath, choosing_engine, claiming
from hanbae.diagnosing import causes, pictures
from hanbae.engines import pod_templates, rollouts
from hanbae.planning import deployments
from hanbae.policy import environments, naming
from hanbae.repository import services
from hanbae.results import deployments as recorded
from hanbae.results import events, workloads
from hanbae.streams import merging

_WARNINGS = "type=Warning"
_REMEMBERED = 200
"""Deployments that are looked through for the one that ran an image."""


class Step(Struct, frozen=True):
    """One workload that is put back.

    Attributes:
        workload: It, as it was read.
        former: The template that it gets.
    """

    workload: kinds.Object
    former: pod_templates.Former


class Schema(Struct, frozen=True):
    """What a database had when a former template was deployed, and what it has now.

    Attributes:
        database: Its name.
        then: Its version when the former images were deployed; None where no recorded deployment tells.
        now: Its version now, as far as the history tells.
    """

    database: str
    then: int | None
    now: int | None


class Pods:
    """The workloads of a service in an environment. Made by :func:`opened`.

    Attributes:
        service: The service.
        environment: The environment.
        workloads: Them, as they were read.
    """

    def __init__(
        self,
        space: workspaces.Workspace,
        clusters: workspaces.Clusters,
        service: str,
        environment: str,
        read: Sequence[kinds.Object],
    ) -> None:
        self.service = service
        self.environment = environment
        self.workloads = tuple(read)
        self._space = space
        self._clusters = clusters

    @property
    def _cluster(self) -> connections.Cluster:
        return self._clusters.workload

    async def now(self) -> tuple[kinds.Object, ...]:
        """The workloads as they are now; one that was deleted meanwhile is not among them."""
        read = [
            await reading.get(self._cluster, kinds.named(ref.kind), ref.namespace, ref.name)
            for ref in map(kinds.ref, self.workloads)
        ]
        return tuple(workload for workload in read if workload is not None)

    async def restart(self) -> None:
        """Start all pods anew, as the workloads' strategies say."""
        for workload in self.workloads:
            ref = kinds.ref(workload)
            with _own_identity(ref, by_helm=self._is_by_helm):
                await pod_templates.restart(self._cluster, ref, self._space.clock())

    async def follow(self, *, within: float) -> AsyncGenerator[workloads.Rollout]:
        """How far the rollouts are, whenever that changes, until all are complete.

        Args:
            within: Seconds after which it is given up.

        Raises:
            hanbae.errors.Failed: Out of the iteration: a rollout failed, is paused, or took too long.
        """
        names = [str(kinds.ref(workload)) for workload in self.workloads]
        complete: set[str] = set()
        clock = asyncio.get_running_loop().time
        ends = clock() + within
        last: dict[str, workloads.Rollout] = {}
        async with merging.merge() as merged:
            for name, workload in zip(names, self.workloads, strict=True):
                merged.add(name, self._versions(workload))
            while len(complete) < len(names):
                item = await merged.next(within=max(ends - clock(), 0.0))
                if item is None:
                    waiting = next(name for name in names if name not in complete)
                    facts = {"workload": waiting, "seconds": f"{within:g}"}
                    raise errors.Failed("rollout.not-done", place=None, **facts)
                name, change = item
                if change.type == "deleted":
                    raise errors.Failed("rollout.gone", place=None, workload=name)
                rollout = described(change.object)
                if last.get(name) != rollout:
                    last[name] = rollout
                    yield rollout
                if rollout.state == "Failed":
                    facts = {"workload": name, "message": rollout.message or "-"}
                    raise errors.Failed("rollout.failed", place=None, **facts)
                if rollout.state == "Paused":
                    raise errors.Failed("rollout.paused", place=None, workload=name)
                # A rollout that was complete goes on again where somebody changes the workload
                # meanwhile.
                (complete.add if rollout.state == "Complete" else complete.discard)(name)

    def _versions(self, workload: kinds.Object) -> AsyncGenerator[watching.WatchEvent]:
        """What happens to a workload, beginning with how it is; it may have gone since it was read."""
        ref = kinds.ref(workload)
        return watching.watch(
            self._cluster,
            kinds.named(ref.kind),
            ref.namespace,
            field_selector=f"metadata.name={ref.name}",
            present=[watching.unversioned(workload)],
        )

    async def causes(self) -> tuple[events.Diagnosed, ...]:
        """Why the rollouts do not go on, as far as their objects show."""
        objects: dict[subjects.Ref, kinds.Object] = {}
        for namespace in {kinds.ref(workload).namespace for workload in self.workloads}:
            for kind in (kinds.REPLICASET, kinds.POD):
                for item in await reading.find(self._cluster, kind, namespace):
                    objects[kinds.ref(item)] = item
            # Who may not read Events still learns what ReplicaSets and pods show.
            with contextlib.suppress(errors.Forbidden):
                for event in await reading.find(
                    self._cluster, kinds.EVENT, namespace, field_selector=_WARNINGS
                ):
                    objects[kinds.ref(event)] = event
        own = {kinds.ref(workload): workload for workload in self.workloads}
        for _ in range(2):  # ReplicaSets first, then their pods
            own |= {ref: item for ref, item in objects.items() if _is_wanted(item, own)}
        about = {ref: item for ref, item in objects.items() if ref.kind == "Event"}
        picture = pictures.Picture(own | about, service=self.service, environment=self.environment)
        return tuple(
            structs.replace(
                cause.diagnosis,
                command=self._space.typed(self.environment, cause.diagnosis.command),
            )
            for cause in causes.named(picture)
        )

    async def former(self, number: int | None, name: str | None) -> tuple[Step, ...]:
        """What an undo would put back.

        Args:
            number: The cluster's number of the template; None for the one before the present.
            name: Name of the only workload that is meant; None for the service's only one.

        Raises:
            hanbae.errors.WrongUse: There is no such workload or template, or it must be said which.
        """
        candidates = [
            workload
            for workload in self.workloads
            if name is None or workload["metadata"]["name"] == name
        ]
        names = ", ".join(workload["metadata"]["name"] for workload in self.workloads)
        if not candidates:
            raise errors.WrongUse(
                "rollout.no-workload", place=None, name=name or "", existing=names
            )
        if len(candidates) > 1:
            raise errors.WrongUse("rollout.several", place=None, existing=names)
        (workload,) = candidates
        templates = await pod_templates.formers(self._cluster, workload)
        matching = [former for former in templates if number is None or former.revision == number]
        if not matching:
            numbers = ", ".join(str(former.revision) for former in templates)
            facts = {"workload": str(kinds.ref(workload)), "existing": numbers}
            text_id = "rollout.no-such-former" if templates else "rollout.no-former"
            raise errors.WrongUse(text_id, place=None, **facts)
        return (Step(workload, matching[0]),)

    async def heals(self) -> bool:
        """Whether Argo CD puts back by itself what differs from git."""
        application = await self._application()
        return application is not None and applications.heals(application)

    async def refuse_busy(self) -> None:
        """Refuse while a deployment runs or an operation of Argo CD's does.

        Raises:
            hanbae.errors.Refused: One does.
        """
        space, service, environment = self._space, self.service, self.environment
        lease = await claiming.lease(space.policy, self._cluster, service, environment)
        engine = choosing_engine.engine(
            space, self._clusters, service, environment, by=await self._clusters.identity()
        )
        open_ = lease is not None and claiming.is_open(lease)
        if open_ or await engine.occupant() is not None:
            facts = {"service": service, "environment": environment}
            raise errors.Refused("rollout.busy", place=None, **facts)

    def schemas(self, steps: Sequence[Step]) -> tuple[Schema, ...]:
        """What the databases had when the former images were deployed, against what they have now."""
        listed = self._space.store.deployments(
            service=self.service, environment=self.environment, limit=_REMEMBERED
        )
        images = {image for step in steps for image in step.former.images.values()}
        return schemas(listed, images)

    async def put_back(self, steps: Sequence[Step]) -> tuple[workloads.Undone, ...]:
        """Give the workloads their former templates.

        Raises:
            hanbae.errors.Refused: One has changed since it was read.
        """
        undone = []
        for step in steps:
            ref = kinds.ref(step.workload)
            with _own_identity(ref, by_helm=self._is_by_helm):
                await pod_templates.put_back(self._cluster, step.workload, step.former)
            before = rollouts.images(step.workload)
            undone.append(
                workloads.Undone(
                    ref.kind,
                    ref.namespace,
                    ref.name,
                    step.former.revision,
                    before,
                    step.former.images,
                )
            )
        return tuple(undone)

    @property
    def _is_by_helm(self) -> bool:
        return environments.by_helm(self._space.policy, self.environment)

    async def _application(self) -> kinds.Object | None:
        policy, clusters = self._space.policy, self._clusters
        if self._is_by_helm:
            return None
        name = naming.application(policy, self.service, self.environment)
        namespace = policy.argocd.namespace
        if clusters.argocd is not None:
            project = naming.project(policy, self.environment)
            return await comparing.application(clusters.argocd, name, project, namespace)
        return await reading.get(clusters.control, kinds.APPLICATION, namespace, name)


@asynccontextmanager
async def opened(
    space: workspaces.Workspace, service: str, environment: str
) -> AsyncIterator[Pods]:
    """The workloads of a service that are in an environment now.

    Which they are is read from the service as the head of the environment's branch renders it.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
        hanbae.errors.Refused: None of them is there.
        hanbae.errors.Unreachable: A cluster did not answer.
    """
    services.check(space.loaded, service)
    revision = space.checkout.revision(await space.head(environment))
    source = await deployments.read(space.policy, revision, service, environment)
    refs = [
        subjects.Ref(
            manifest.object["kind"],
            manifest.object["metadata"].get("namespace") or source.namespace,
            manifest.object["metadata"]["name"],
        )
        for manifest in source.rendered.manifests
        if manifest.object["kind"] in pod_templates.KINDS
    ]
    async with space.clusters(environment) as clusters:
        read = [
            await reading.get(clusters.workload, kinds.named(ref.kind), ref.namespace, ref.name)
            for ref in refs
        ]
        present = [workload for workload in read if workload is not None]
        if not present:
            facts = {"service": service, "environment": environment}
            raise errors.Refused("rollout.nothing-runs", place=None, **facts)
        yield Pods(space, clusters, service, environment, present)


def _is_wanted(item: kinds.Object, own: Mapping[subjects.Ref, kinds.Object]) -> bool:
    """Whether it is of one of these, and not of a template that was given up."""
    above = pictures.owner(item)
    if above is None or above not in own:
        return False
    return item.get("kind") != "ReplicaSet" or rollouts.newest(own[above], item)


def described(workload: kinds.Object) -> workloads.Rollout:
    """How far the rollout of a workload is."""
    ref, progress = kinds.ref(workload), rollouts.progress(workload)
    return workloads.Rollout(
        ref.kind,
        ref.namespace,
        ref.name,
        progress.state,
        progress.message,
        rollouts.images(workload),
    )


def schemas(listed: Sequence[recorded.Deployment], images: set[str]) -> tuple[Schema, ...]:
    """Databases that have another version now than when images were last deployed, or of which nobody knows.

    Args:
        listed: Deployments of the service to the environment, the newest first.
        images: The images that would run again.
    """
    now = aftermath.stood(listed, besides="")
    then: Mapping[str, int | None] = {}
    for deployment in listed:
        if deployment.outcome == "succeeded" and images <= set(deployment.images):
            then = {migration.database: migration.version for migration in deployment.migrations}
            break
    else:
        return tuple(Schema(database, None, version) for database, version in sorted(now.items()))
    return tuple(
        Schema(database, then.get(database), now.get(database))
        for database in sorted({*now, *then})
        if then.get(database) != now.get(database)
    )


@contextlib.contextmanager
def _own_identity(ref: subjects.Ref, *, by_helm: bool) -> Iterator[None]:
    """The deployer of Argo CD's may not change workloads, and is not meant to: Argo CD does."""
    try:
        yield
    except errors.Forbidden as error:
        if by_helm:  # what grants it is said already
            raise
        facts = {"workload": str(ref), "message": str(error.text.facts.get("message", ""))}
        raise errors.Forbidden("rollout.forbidden", place=None, **facts) from error
