"""``hanbae doctor``: what is the matter with what runs, from one look at the clusters or from a snapshot of one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors, files, foreign_json, workspaces
from hanbae.actions import every_environment, overlay
from hanbae.argocd_api import comparing
from hanbae.clusters import connections, kinds, logs, reading
from hanbae.deploying import helm_drift, taken_away
from hanbae.diagnosing import allowed_fields, standing
from hanbae.engines import secrets
from hanbae.history import listings
from hanbae.policy import environments as policy_environments
from hanbae.policy import labels, naming
from hanbae.results import deployments, diagnoses, events, overlays, plans, reach

_FORMAT: Final = 1
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a snapshot that is read."""
_TAIL: Final = 30
"""Lines that are read of a container in trouble."""
_AT_ONCE: Final = 8
_OF_SERVICE: Final = "kubernetes.io/service-name"
"""The label with which a slice of endpoints names its Service."""
_IN_NAMESPACE: Final = (
    kinds.POD,
    kinds.REPLICASET,
    kinds.DEPLOYMENT,
    kinds.STATEFULSET,
    kinds.DAEMONSET,
    kinds.JOB,
    kinds.CRONJOB,
    kinds.SERVICE,
    kinds.INGRESS,
    kinds.HPA,
    kinds.PDB,
    kinds.PVC,
    kinds.RESOURCEQUOTA,
)
_OF_CLUSTER: Final = (kinds.NODE, kinds.INGRESSCLASS, kinds.STORAGECLASS)


async def doctor(
    space: workspaces.Workspace,
    services: Sequence[str] = (),
    environments: Sequence[str] = (),
) -> tuple[diagnoses.Snapshots, tuple[reach.Unreached, ...]]:
    """Look at what runs; an environment that does not answer hides no other.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.

    Returns:
        What was seen, by environment, and the environments that did not answer.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    answers = await every_environment.ask(space, services, environments, _of_environment)
    return diagnoses.Snapshots(_FORMAT, tuple(answers.of.values())), answers.unreached


def diagnose(
    snapshots: diagnoses.Snapshots,
    unreached: tuple[reach.Unreached, ...] = (),
    *,
    services: Sequence[str] = (),
    environments: Sequence[str] = (),
) -> diagnoses.Diagnoses:
    """What is the matter in snapshots.

    Args:
        snapshots: Them.
        unreached: The environments of which there is none.
        services: Only what concerns these, and what belongs to none; all if none is given.
        environments: Only these; all if none is given.
    """
    selected = [
        snapshot
        for snapshot in snapshots.snapshots
        if not environments or snapshot.environment in environments
    ]
    listed = [
        entry
        for snapshot in selected
        for entry in standing.diagnose(snapshot)
        if not services or entry.service in {"", *services}
    ]
    names = dict.fromkeys(service.name for snapshot in selected for service in snapshot.services)
    return diagnoses.Diagnoses(
        standing.ordered(listed),
        tuple(name for name in names if not services or name in services),
        tuple(snapshot.environment for snapshot in selected),
        tuple(entry for snapshot in selected for entry in snapshot.unseen),
        unreached,
    )


def write(path: Path, snapshots: diagnoses.Snapshots) -> None:
    """Write snapshots as a file for a colleague, readable for its owner alone.

    Raises:
        hanbae.errors.WrongUse: It cannot be written.
    """
    data = msgspec.json.format(msgspec.json.encode(snapshots), indent=1)
    try:
        files.replace(path, data.decode() + "\n", mode=0o600)
    except OSError as error:
        facts = {"path": str(path), "reason": files.reason(error)}
        raise errors.WrongUse("doctor.not-written", place=None, **facts) from error


def read(path: Path) -> diagnoses.Snapshots:
    """The snapshots of a file.

    Raises:
        hanbae.errors.WrongUse: It cannot be read, or is no snapshot of this form.
    """
    try:
        with path.open("rb") as file:
            # One byte more than is allowed tells a file that is too large; it is never read as a
            # whole.
            data = file.read(LARGEST + 1)
    except OSError as error:
        facts = {"path": str(path), "reason": files.reason(error)}
        raise errors.WrongUse("doctor.not-read", place=None, **facts) from error
    reason = f"more than {LARGEST // 1024 // 1024} MiB" if len(data) > LARGEST else ""
    try:
        snapshots = foreign_json.decode(data, diagnoses.Snapshots)
    except foreign_json.Fault as fault:
        snapshots, reason = None, reason or str(fault)
    if snapshots is None or reason or snapshots.format != _FORMAT:
        facts = {"path": str(path), "reason": reason or "format"}
        raise errors.WrongUse("doctor.no-snapshot", place=None, **facts)
    return snapshots


async def _of_environment(
    space: workspaces.Workspace, services: Sequence[str], environment: str
) -> diagnoses.Snapshot:
    described = tuple(_described(space, name, environment) for name in services)
    async with space.clusters(environment) as clusters:
        look = _Look(clusters.workload, environment)
        await look.around(space, described)
        await look.applications(space, clusters, described)
        await look.logs(described)
        drifted = await _drifted(space, clusters, services, environment, look.absent)
        parts = overlay.parts_of(space.policy, environment, services, ())
        expected = [await look.expected(p) for p in parts if p.provided == "expected"]
    last = space.store.last(environment)
    return diagnoses.Snapshot(
        environment,
        space.clock().isoformat(timespec="seconds"),
        described,
        "" if space.policy.secrets.are_external else space.policy.secrets.controller,
        space.policy.rollout.crashes,
        tuple(look.objects),
        tuple(look.tails),
        (*look.unseen, *_unreadable(last, environment)),
        _recorded(space, services, last),
        tuple(filter(None, expected)),
        drifted,
        tuple(sorted(look.no_namespaces)),
    )


async def _drifted(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    services: Sequence[str],
    environment: str,
    absent: Collection[str],
) -> tuple[diagnoses.Drifted, ...]:
    """What differs of what Helm has installed, and what is gone altogether; of the rest Argo CD's objects tell."""
    differing = []
    for name in services:
        if policy_environments.by_helm(space.policy, environment):
            installed = await helm_drift.of_service(space, clusters.workload, name, environment)
            listed = installed.drifts
        elif naming.application(space.policy, name, environment) in absent:
            listed = await taken_away.of_service(space, clusters.workload, name, environment)
        else:
            continue
        if listed:
            differing.append(diagnoses.Drifted(name, listed))
    return tuple(differing)


def _recorded(
    space: workspaces.Workspace, services: Sequence[str], last: listings.Listing
) -> tuple[diagnoses.Recorded, ...]:
    """What the last deployments have found: why one has failed, and what databases were like after one."""
    by_service = {deployment.service: deployment for deployment in last.deployments}
    recorded = []
    for service in services:
        deployment = by_service.get(service)
        if deployment is None:
            continue
        named = deployment.diagnoses if deployment.outcome == "failed" else ()
        named += tuple(_drift(space, deployment))
        if named:
            recorded.append(diagnoses.Recorded(service, deployment.id, named))
    return tuple(recorded)


def _unreadable(last: listings.Listing, environment: str) -> Iterator[diagnoses.Unseen]:
    """The records of last deployments that cannot be read."""
    for record in last.unreadable:
        yield diagnoses.Unseen(environment, diagnoses.RECORD, "", record.why)


def _drift(
    space: workspaces.Workspace, deployment: deployments.Deployment
) -> Iterator[events.Diagnosed]:
    """What databases themselves have said when they were proven last."""
    if not any(migration.drift for migration in deployment.migrations):
        return
    steps = space.store.plan(deployment.id).steps
    proofs = [step.does for step in steps if isinstance(step.does, plans.Prove)]
    hooks = {proof.database: proof.hook for proof in proofs}
    service, environment = deployment.service, deployment.environment
    for migration in deployment.migrations:
        hook = hooks.get(migration.database)
        for text in filter(events.is_drift, migration.drift if hook is not None else ()):
            command = ("hanbae", "migrations", "status", service, "--env", environment)
            yield events.Diagnosed(hook, text, command, fatal=False)  # type: ignore[arg-type]


def _described(space: workspaces.Workspace, service: str, environment: str) -> diagnoses.Service:
    policy = space.policy
    return diagnoses.Service(
        service,
        naming.release(policy, service, environment),
        naming.namespace(policy, service, environment),
        naming.application(policy, service, environment),
        naming.secret(policy, service, environment),
    )


class _Look:
    """One look at an environment: what is there, of what is allowed, and what could not be looked at."""

    def __init__(self, cluster: connections.Cluster, environment: str) -> None:
        self.objects: list[kinds.Object] = []
        self.tails: list[diagnoses.Log] = []
        self.unseen: list[diagnoses.Unseen] = []
        self.absent: list[str] = []
        """Applications that are not there."""
        self.no_namespaces: list[str] = []
        """Namespaces that are not there."""
        self._cluster = cluster
        self._environment = environment
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._keepers: dict[str, secrets.Keeper] = {}

    async def around(
        self, space: workspaces.Workspace, services: Sequence[diagnoses.Service]
    ) -> None:
        """The namespaces of the services, the nodes, and the Sealed Secrets controller."""
        cluster = self._cluster
        # The values of Secrets are learned before anything else is read: `_keep` masks each object
        # on its way in.
        for service in services:
            keeper = secrets.Keeper(cluster, service.namespace, service.secret)
            await keeper.refresh()
            self._keepers[service.name] = keeper
        namespaces = sorted({service.namespace for service in services})
        policy = space.policy.secrets
        home = "" if policy.are_external else policy.controller.partition("/")[0]
        own_kinds = (*_IN_NAMESPACE, kinds.of_secrets(policy.provider))
        await asyncio.gather(
            *(self._list(kind, name) for name in namespaces for kind in own_kinds),
            *(self._list(kinds.EVENT, name, "type=Warning") for name in namespaces),
            *(self._list(kind, "") for kind in _OF_CLUSTER),
            *(self._namespace(name) for name in namespaces),
            *(
                self._list(kind, home)
                for kind in (kinds.DEPLOYMENT, kinds.SERVICE)
                if home and home not in namespaces
            ),
        )

    async def applications(
        self,
        space: workspaces.Workspace,
        clusters: workspaces.Clusters,
        services: Sequence[diagnoses.Service],
    ) -> None:
        """The services' Applications."""
        if space.policy.environments[self._environment].engine != "argocd":
            return
        namespace = space.policy.argocd.namespace
        project = naming.project(space.policy, self._environment)

        async def compare(service: diagnoses.Service) -> None:
            async with self._places:
                try:
                    if clusters.argocd is not None:
                        application = await comparing.application(
                            clusters.argocd, service.application, project, namespace
                        )
                    else:
                        application = await reading.get(
                            clusters.control, kinds.APPLICATION, namespace, service.application
                        )
                except errors.Forbidden as error:
                    self._miss(kinds.APPLICATION, namespace, error)
                    return
            if application is None:
                self.absent.append(service.application)
            else:
                self._keep([application])

        await asyncio.gather(*map(compare, services))

    async def expected(self, part: overlays.Part) -> diagnoses.Expected | None:
        """Whether a part that the policy expects is there; None where that may not be looked at."""
        where, by = part.namespace, part.by
        try:
            service = await reading.get(self._cluster, kinds.SERVICE, where, by)
        except errors.Forbidden as error:
            self._miss(kinds.SERVICE, where, error)
            return None
        if service is None:
            return diagnoses.Expected(where, part.name, by, False)
        # An ExternalName Service is a name in DNS; it has no endpoints that could be ready.
        if foreign_json.below(service, "spec").get("type") == "ExternalName":
            return diagnoses.Expected(where, part.name, by, True)
        try:
            slices = await reading.find(
                self._cluster, kinds.ENDPOINTSLICE, where, label_selector=f"{_OF_SERVICE}={by}"
            )
        except errors.Forbidden as error:
            self._miss(kinds.ENDPOINTSLICE, where, error)
            return None
        ready = [
            endpoint
            for item in slices
            for endpoint in foreign_json.mappings(item.get("endpoints"))
            # Kubernetes: a condition `ready` that is not there counts as true.
            if foreign_json.below(endpoint, "conditions").get("ready") is not False
        ]
        return diagnoses.Expected(where, part.name, by, True, len(ready))

    async def logs(self, services: Sequence[diagnoses.Service]) -> None:
        """The last lines of the containers that are in trouble, masked."""
        namespaces = {service.namespace for service in services}
        troubled = [
            (item["metadata"]["namespace"], item["metadata"]["name"], container, previous)
            for item in self.objects
            if item["kind"] == "Pod" and item["metadata"].get("namespace") in namespaces
            for container, previous in _troubled(item)
        ]
        self.tails += filter(None, await asyncio.gather(*(self._tail(*pod) for pod in troubled)))

    async def _tail(
        self, namespace: str, pod: str, container: str, previous: bool
    ) -> diagnoses.Log | None:
        async with self._places:
            try:
                lines = await logs.tail(
                    self._cluster, namespace, pod, container, lines=_TAIL, previous=previous
                )
            except errors.Forbidden as error:
                self._miss(kinds.POD, namespace, error)
                return None
            except errors.Unreachable:
                return None
        # Masked first and cut afterwards: half a password would not be recognised.
        texts = tuple(self._redact(line.text)[: allowed_fields.LONGEST] for line in lines)
        return diagnoses.Log(namespace, pod, container, texts)

    def _redact(self, text: str) -> str:
        for keeper in self._keepers.values():
            text = keeper.redact(text)
        return text

    async def _list(self, kind: kinds.Kind, namespace: str, fields: str | None = None) -> None:
        async with self._places:
            try:
                listed = await reading.find(
                    self._cluster, kind, namespace or None, field_selector=fields
                )
            # `WrongUse`: the cluster does not serve this kind, because Sealed Secrets, say, is not
            # installed there.
            except (errors.Forbidden, errors.WrongUse) as error:
                self._miss(kind, namespace, error)
                return
        self._keep(listed)

    async def _namespace(self, name: str) -> None:
        async with self._places:
            try:
                item = await reading.get(self._cluster, kinds.NAMESPACE, "", name)
            except errors.Forbidden as error:
                self._miss(kinds.NAMESPACE, name, error)
                return
        if item is None:
            self.no_namespaces.append(name)
        else:
            self._keep([item])

    def _keep(self, items: Iterable[kinds.Object]) -> None:
        for item in items:
            if foreign_json.below(item, "metadata", "labels").get(labels.COMPONENT) == "proof":
                continue  # a question that is being asked, of which nobody but its asker knows the answer
            allowed = allowed_fields.kept(item, self._redact)
            if allowed is not None:
                self.objects.append(allowed)

    def _miss(self, kind: kinds.Kind, namespace: str, error: errors.Error) -> None:
        entry = diagnoses.Unseen(self._environment, kind.kind, namespace, error.text)
        if not any((entry.kind, entry.namespace) == (e.kind, e.namespace) for e in self.unseen):
            self.unseen.append(entry)


def _troubled(pod: kinds.Object) -> Iterator[tuple[str, bool]]:
    """The containers that have ended badly or are not ready, and whether the run before is the telling one."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return
    for container in (
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ):
        state = container.get("state") or {}
        ended = (container.get("lastState") or {}).get("terminated")
        if (state.get("terminated") or {}).get("exitCode"):
            yield container["name"], False
        # A container that is being restarted has written nothing yet: the run before says why it
        # ended.
        elif ended and not container.get("ready"):
            yield container["name"], True
        elif state.get("running") and not container.get("ready"):
            yield container["name"], False
