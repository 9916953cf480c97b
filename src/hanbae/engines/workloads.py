"""Watches what a deployment does on the workload cluster: Jobs, pods, rollouts, warnings and logs.

Only what belongs to *this* deployment counts: hook Jobs that it made, what its operation applied, and the pods
of these.
A broken pod that the last deployment left behind must not be taken for a trouble of this one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, object_shapes, subjects, wording
from hanbae.argo import hooks
from hanbae.clusters import connections, kinds, reading, watching
from hanbae.diagnosing import pods
from hanbae.engines import describing, ownership, protocol, rollouts, secrets, tailing
from hanbae.results import events
from hanbae.streams import channels

WARNINGS: Final = "type=Warning"
"""Field selector of the Events that are watched."""

WARNED: Final = 3
"""Warnings of one reason about one object that are told; a controller that tries again says the same again."""

SHAPED: Final = frozenset({"SealedSecret", "ExternalSecret", "Deployment", "StatefulSet"})
"""Kinds of which a change is known to be this deployment's, where nobody else deploys."""

_ENDED: Final = frozenset({"Complete", "Failed", "Succeeded"})
"""States of a hook that has run: a Job, or a pod of its own."""
_LABELLED: Final = (kinds.JOB, kinds.POD, kinds.DEPLOYMENT, kinds.REPLICASET, kinds.STATEFULSET)


class Operation(Struct, frozen=True):
    """What an engine does in a deployment, as far as it matters for which objects belong to it.

    Attributes:
        started: When it began, by the cluster's clock, in RFC 3339; empty where it has not.
        applied: The objects that it has applied, hooks left out.
        hooks: The hooks that it has made.
        unended: Those among them of which it has seen no end yet.
    """

    started: str = ""
    applied: tuple[subjects.Ref, ...] = ()
    hooks: tuple[subjects.Ref, ...] = ()
    unended: tuple[subjects.Ref, ...] = ()


class Workload:
    """The objects of one release, kept up to date, and told of as they change.

    Args:
        cluster: The workload cluster.
        namespace: The release's namespace.
        release: The release by whose label most of its objects are found at once; what Argo CD has applied without it
            is followed by name, and its pods through their owner. Empty to look at all in the namespace.
        secret: Name of the service's Secret.
        maker: The kind of which a controller makes it.
        expected: The hooks that the deployment must run.
        old: uids of Jobs that existed before it.
        warned_before: uid → resourceVersion of warnings that were given before it.
        before: uid → :func:`shape` of what was there before it; None where somebody else may change that meanwhile.
    """

    def __init__(
        self,
        cluster: connections.Cluster,
        namespace: str,
        release: str,
        secret: str,
        expected: Iterable[subjects.Ref],
        *,
        maker: kinds.Kind = kinds.SEALEDSECRET,
        old: Iterable[str] = (),
        warned_before: Mapping[str, str] | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        self.changed = asyncio.Event()
        """Set whenever anything has changed."""
        self.hook_ended = asyncio.Event()
        """Set whenever a hook's Job has ended, well or badly."""
        self.completed: set[str] = set()
        """The uids of hooks' Jobs that were seen complete, though they may be deleted by now."""
        self.crashes_before: dict[tuple[subjects.Ref, str], int] = {}
        """Pod and container → how often it had ended when it was first seen; 0 for pods of this deployment."""
        self._cluster = cluster
        self._namespace = namespace
        self._release = release
        self._expected = tuple(expected)
        self._old = frozenset(old)
        self._warned_before = dict(warned_before or {})
        self._before = before
        self._all: dict[subjects.Ref, kinds.Object] = {}
        self._gone: set[subjects.Ref] = set()
        self._reported: dict[subjects.Ref, events.Observed] = {}
        self._warned: set[events.Observed] = set()
        self._warnings: Counter[tuple[subjects.Ref, str]] = Counter()
        self._operation = Operation()
        self._extra: set[subjects.Ref] = set()
        self._followed: set[subjects.Ref] = set()
        self._selected: set[tuple[str, str, str]] = set()
        self._secret = secret
        self._maker = maker
        self._keeper = secrets.Keeper(cluster, namespace, secret)
        self._channel: channels.Channel[protocol.EngineEvent] | None = None
        self._logs: tailing.Logs | None = None
        self._group: asyncio.TaskGroup | None = None

    def redact(self, text: str) -> str:
        """The text without the service's secrets."""
        return self._keeper.redact(text)

    @property
    def objects(self) -> Mapping[subjects.Ref, kinds.Object]:
        """What belongs to this deployment now, warnings about it included."""
        own = {
            ref: self._current(live) for ref, live in self._all.items() if self._is_own(ref, live)
        }
        # By uid: Kubernetes keeps Events for an hour, so one may be about an earlier
        # object of that name.
        uids = {live["metadata"].get("uid") for live in own.values()}
        about = {
            ref: event
            for ref, event in self._all.items()
            if ref.kind == "Event"
            and (event.get("involvedObject") or {}).get("uid") in uids
            and self._warned_before.get(event["metadata"]["uid"])
            != event["metadata"]["resourceVersion"]
        }
        return own | about

    @property
    def runs_hooks(self) -> bool:
        """Whether a hook has begun and not ended, as far as its object shows; else as the operation says."""
        jobs = [
            ref
            for ref, live in self._all.items()
            if ref.kind == "Job" and self._is_own_job(ref, live)
        ]
        return any(map(self._is_running, {*jobs, *self._operation.unended}))

    def _is_running(self, hook: subjects.Ref) -> bool:
        live = self._all.get(hook)
        if live is None:
            # The operation may not have seen yet that it has gone.
            return hook not in self._gone
        if hook.kind == "Job" and not self._is_own_job(hook, live):
            return True  # the operation has made another one, which is not seen yet
        observed = describing.observed(hook, live)
        return observed is None or observed.state not in _ENDED

    def start(
        self, group: asyncio.TaskGroup, channel: channels.Channel[protocol.EngineEvent]
    ) -> None:
        """Begin to watch, until the group is ended: watches never end by themselves."""
        self._group, self._channel = group, channel
        self._logs = tailing.Logs(self._cluster, self._keeper, channel)
        labels = ownership.by_label(self._release)
        watches = [self._watch(kind, labels=labels) for kind in _LABELLED]
        watches += [
            self._watch(self._maker, fields=f"metadata.name={self._secret}"),
            # Events do not carry the labels of what they are about, so all warnings of the
            # namespace are watched; `objects` picks them by uid.
            self._watch(kinds.EVENT, fields=WARNINGS),
            self._watch_secret(),
        ]
        for watch in watches:
            group.create_task(watch)

    async def load(self, operation: Operation) -> None:
        """Read the objects of an operation once, without watching; what may not be read is left out."""
        self._operation = operation
        labels = ownership.by_label(self._release) or None
        reads = [
            reading.find(self._cluster, kind, self._namespace, label_selector=labels)
            for kind in _LABELLED
        ]
        by_name = f"metadata.name={self._secret}"
        for kind, fields in ((self._maker, by_name), (kinds.EVENT, WARNINGS)):
            reads.append(reading.find(self._cluster, kind, self._namespace, field_selector=fields))
        await self._load(*reads)
        await asyncio.gather(*map(self._load_owned, _owners(operation)))

    async def _load(self, *reads: Awaitable[Sequence[kinds.Object]]) -> None:
        for objects in await asyncio.gather(*reads, return_exceptions=True):
            if isinstance(objects, errors.Forbidden | errors.WrongUse):
                continue
            # Raised only now that all have ended: no read goes on over a connection that is closed.
            if isinstance(objects, BaseException):
                raise objects
            for loaded in objects:
                self._keep(kinds.ref(loaded), loaded)

    async def _load_owned(self, ref: subjects.Ref) -> None:
        """Read an object that the release's label does not find, and what it owns."""
        if ref not in self._all:
            fields, kind = f"metadata.name={ref.name}", kinds.named(ref.kind)
            await self._load(
                reading.find(self._cluster, kind, ref.namespace, field_selector=fields)
            )
        owner = self._all.get(ref)
        if owner is not None and not self._finds_pods(ref, owner):
            labels = ownership.by_selector(owner) or None
            reads = (
                reading.find(self._cluster, kind, ref.namespace, label_selector=labels)
                for kind in ownership.between(ref.kind)
            )
            await self._load(*reads)

    async def applies(self, operation: Operation) -> None:
        """The deployment's operation as it is now: what it applied belongs to the deployment."""
        self._operation = operation
        for ref in _owners(operation):
            self._follow(ref)
        await self._tell()

    def _follow(self, ref: subjects.Ref) -> None:
        """Watch an object that Argo CD has applied, and its pods, as far as the release's label does not find them."""
        # Without a release's label, the watches by kind see the whole namespace already.
        looks_at_all = not self._release and ref.namespace == self._namespace
        if self._group is not None and not looks_at_all and ref not in self._followed:
            self._followed.add(ref)
            self._group.create_task(self._watch_owner(ref))

    async def _watch_owner(self, ref: subjects.Ref) -> None:
        fields = f"metadata.name={ref.name}"
        kind = kinds.named(ref.kind)
        versions = self._versions(kind, fields=fields, namespace=ref.namespace)
        async with aclosing(versions):
            async for owner in versions:
                if not self._finds_pods(ref, owner):
                    self._watch_owned(ref, owner)
                elif self._finds(ref, owner):
                    return  # everything comes by the label

    def _watch_owned(self, ref: subjects.Ref, owner: kinds.Object) -> None:
        """Watch what an object owns; a Job that was made anew under its name has another selector."""
        labels = ownership.by_selector(owner)
        for kind in ownership.between(ref.kind):
            key = (kind.kind, ref.namespace, labels)
            if self._group is not None and key not in self._selected:
                self._selected.add(key)
                watch = self._watch(kind, labels=labels, namespace=ref.namespace)
                self._group.create_task(watch)

    def _finds(self, ref: subjects.Ref, live: kinds.Object) -> bool:
        """Whether an object is found by the release's label."""
        return ref.namespace == self._namespace and (
            not self._release or ownership.is_marked(live, self._release)
        )

    def _finds_pods(self, ref: subjects.Ref, owner: kinds.Object) -> bool:
        """Whether the pods of an object are."""
        return ref.namespace == self._namespace and (
            not self._release or ownership.marks_pods(owner, self._release)
        )

    async def track(self, refs: Iterable[subjects.Ref]) -> None:
        """Read these objects freshly, and watch those that the release's label does not find."""
        for ref in refs:
            kind = kinds.named(ref.kind)
            # The watches may lag behind what was just applied, and the object as it was before
            # would pass for a complete rollout.
            tracked = await reading.get(self._cluster, kind, ref.namespace, ref.name)
            if tracked is None:
                continue
            self._extra.add(ref)
            self._keep(ref, tracked)
            self._follow(ref)
        await self._tell()

    def rollouts(self, refs: Iterable[subjects.Ref]) -> dict[subjects.Ref, rollouts.Progress]:
        """How far the rollouts of these objects are; one that is not there is not among them."""
        return {
            ref: rollouts.progress(self._current(self._all[ref]))
            for ref in refs
            if ref in self._all
        }

    def _current(self, live: kinds.Object) -> kinds.Object:
        """An object without what an earlier attempt has left in its status."""
        started = self._operation.started
        return rollouts.since(live, started) if live.get("kind") in rollouts.KINDS else live

    def _remember_crashes(self, ref: subjects.Ref, pod: kinds.Object) -> None:
        """How often the containers of a pod that was there before had ended."""
        started = self._operation.started
        is_new = bool(started) and str(pod["metadata"].get("creationTimestamp") or "") >= started
        status = pod.get("status") or {}
        for field in ("initContainerStatuses", "containerStatuses"):
            for container in status.get(field) or []:
                count = 0 if is_new else pods.crashes(container)
                self.crashes_before.setdefault((ref, container["name"]), count)

    async def drained(self, *, limit: float) -> None:
        """Wait until the logs of hooks have been read to their ends, but not for longer than that."""
        if self._logs is not None:
            await self._logs.drained(limit=limit)

    async def _watch(
        self, kind: kinds.Kind, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> None:
        async for _ in self._versions(kind, labels=labels, fields=fields, namespace=namespace):
            pass

    async def _versions(
        self, kind: kinds.Kind, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[kinds.Object]:
        """Each version of what is watched, once it is kept and told of."""
        stream = watching.watch(
            self._cluster,
            kind,
            namespace or self._namespace,
            label_selector=labels or None,
            field_selector=fields or None,
        )
        try:
            async with aclosing(stream):
                async for version in stream:
                    ref = kinds.ref(version.object)
                    if version.type == "deleted":
                        # One change may have completed it and the next deleted it, before anybody has looked.
                        self._note_completion(ref, version.object)
                        # One that was made anew under this name may have been read before its
                        # predecessor's end is told.
                        if _is_same(self._all.get(ref), version.object):
                            self._all.pop(ref)
                            self._reported.pop(ref, None)
                            self._gone.add(ref)
                        self.changed.set()
                    else:
                        self._keep(ref, version.object)
                        await self._tell()
                        yield version.object
        except (errors.Forbidden, errors.WrongUse) as error:
            # A kind that cannot be watched fails no deployment; what will not be seen is only
            # reported.
            facts = {"kind": kind.kind}
            await self._put(events.Noted(wording.Text("deploy.cannot-watch", facts)))
            await self._put(events.Noted(error.text))

    async def _watch_secret(self) -> None:
        """Know the values before a log can show them, and again whenever they change."""
        await self._keeper.refresh()
        if self._keeper.refusal is not None:
            facts = {"secret": self._secret, "namespace": self._namespace}
            await self._put(events.Noted(wording.Text("deploy.secret-not-readable", facts)))
            await self._put(events.Noted(self._keeper.refusal))
            return
        stream = watching.watch(
            self._cluster,
            kinds.SECRET,
            self._namespace,
            field_selector=f"metadata.name={self._secret}",
        )
        try:
            async with aclosing(stream):
                async for version in stream:
                    self._keeper.learn(version.object)
        except errors.Forbidden:
            # Later changes are still learned: `tailing` reads the Secret again before each
            # container's log.
            return

    def _keep(self, ref: subjects.Ref, live: kinds.Object) -> None:
        before = self._all.get(ref)
        # Reads and watches may overtake each other; the older version is dropped.
        if before is None or object_shapes.version(before) <= object_shapes.version(live):
            self._all[ref] = live
            self._gone.discard(ref)
        self.changed.set()

    async def _tell(self) -> None:
        """Tell of everything that has changed since it was told, and read the logs that matter."""
        # `objects` is a copy: while a full channel is waited for, other watches
        # change what is kept.
        for ref, live in self.objects.items():
            if ref.kind == "Event":
                warning = describing.warned(live)
                if self._logs and live.get("reason") == "Unhealthy":
                    self._logs.unhealthy((live.get("involvedObject") or {}).get("uid") or "")
                key = (warning.on, warning.reason)
                if warning not in self._warned and self._warnings[key] < WARNED:
                    self._warned.add(warning)
                    self._warnings[key] += 1
                    await self._put(warning)
                continue
            observed = describing.observed(ref, live)
            if observed is not None and self._reported.get(ref) != observed:
                self._reported[ref] = observed
                await self._put(observed)
                self._note_completion(ref, live)
                if ref.kind == "Job" and observed.state in {"Complete", "Failed"}:
                    self.hook_ended.set()
            if ref.kind == "Pod":
                self._remember_crashes(ref, live)
            if ref.kind == "Pod" and self._logs and self._group:
                owner = _owner(live)
                hook = owner is not None and owner.kind == "Job"
                self._logs.read(self._group, ref, live, whole=hook)

    def _note_completion(self, ref: subjects.Ref, live: kinds.Object) -> None:
        observed = describing.observed(ref, live) if ref.kind == "Job" else None
        if observed is not None and observed.state == "Complete" and self._is_own_job(ref, live):
            self.completed.add(live["metadata"].get("uid") or "")

    async def _put(self, fact: protocol.EngineEvent) -> None:
        if self._channel is not None:
            await self._channel.put(fact)

    def _is_own(self, ref: subjects.Ref, live: kinds.Object) -> bool:
        if ref.kind == "Job":
            return self._is_own_job(ref, live)
        owner = _owner(live)
        above = self._all.get(owner) if owner else None
        if above is not None and not _is_by(live, above):
            above = None  # it is of an object that was there before under this name
        if ref.kind == "Pod":
            return owner is not None and above is not None and self._is_own(owner, above)
        # Former ReplicaSets run the previous version, and their broken pods are no trouble
        # of this one. Until the controller has seen the new spec, its newest ReplicaSet is
        # still a former one.
        if ref.kind == "ReplicaSet":
            return (
                owner is not None
                and above is not None
                and self._is_own(owner, above)
                and rollouts.is_current(above)
                and rollouts.newest(above, live)
            )
        if ref.kind in SHAPED and self._was_changed(live):
            return True
        return ref.kind != "Event" and (ref in self._extra or self._was_applied(ref))

    def _is_own_job(self, ref: subjects.Ref, job: kinds.Object) -> bool:
        if not any(hooks.is_same(hook, ref) for hook in self._expected):
            return False
        if job["metadata"].get("uid") not in self._old:
            return True
        started = self._operation.started
        # The operation may have made it before we looked. Both times have whole seconds and
        # compare as text.
        return bool(started) and job["metadata"].get("creationTimestamp", "") >= started

    def _was_changed(self, live: kinds.Object) -> bool:
        """Whether it is not as it was before: what Argo CD has applied is recorded seconds later."""
        uid = live["metadata"].get("uid") or ""
        return self._before is not None and self._before.get(uid) != shape(live)

    def _was_applied(self, ref: subjects.Ref) -> bool:
        return ref in self._operation.applied


def shape(live: Mapping[str, Any]) -> Any:
    """What only a deployment changes in an object: the pods that it makes, not how many; else all that is asked for."""
    template = (live.get("spec") or {}).get("template")
    brings_secret = live.get("kind") in {"SealedSecret", "ExternalSecret"}
    return live["metadata"].get("generation") if brings_secret else template


def _owners(operation: Operation) -> Iterator[subjects.Ref]:
    """What an operation has applied that owns pods, hooks included."""
    refs = dict.fromkeys((*operation.hooks, *operation.applied))
    return (ref for ref in refs if ref.kind in ownership.OWNERS)


def _is_same(present: Mapping[str, Any] | None, other: Mapping[str, Any]) -> bool:
    """Whether what is kept under a name is this very object, and not another one of that name."""
    return present is not None and present["metadata"].get("uid") == other["metadata"].get("uid")


def _owner(owned: Mapping[str, Any]) -> subjects.Ref | None:
    metadata = owned["metadata"]
    for reference in metadata.get("ownerReferences") or []:
        if reference.get("controller"):
            return subjects.Ref(reference["kind"], metadata.get("namespace", ""), reference["name"])
    return None


def _is_by(owned: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether an object that has an owner's name is owned by it; one without a uid is taken at its name."""
    uids = [
        reference.get("uid")
        for reference in owned["metadata"].get("ownerReferences") or []
        if reference.get("controller")
    ]
    return not any(uids) or owner["metadata"].get("uid") in uids
