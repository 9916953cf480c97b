"""Pods that no node takes, that a node gave up, or that do not go: why, more exactly than the pod itself says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.diagnosing import images, pictures, pods

_REASONS: Final = (
    ("diagnosis.claim-unbound", "unbound", "persistentvolumeclaim"),
    ("diagnosis.claim-absent", "persistentvolumeclaim", "not found"),
    ("diagnosis.volume-elsewhere", "volume node affinity conflict", ""),
    ("diagnosis.too-small", "insufficient", ""),
    ("diagnosis.too-small", "too many pods", ""),
    ("diagnosis.tainted", "untolerated taint", ""),
    ("diagnosis.no-such-node", "didn't match pod's node affinity", ""),
    ("diagnosis.spread", "didn't match pod topology spread", ""),
    ("diagnosis.spread", "anti-affinity", ""),
)
"""Cause, and two words of the scheduler's that tell of it; the first one counts."""
_OF_NODES: Final = frozenset({"diagnosis.tainted", "diagnosis.no-such-node", "diagnosis.too-small"})
_GRACE: Final = 60.0
"""Seconds beyond the pod's own time to end after which it counts as stuck."""
_PATIENCE: Final = 300.0
"""Seconds that an object other than a pod may take to go."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in pods that are nowhere, and in objects that are on their way out."""
    for ref, pod in picture.of("Pod"):
        if pod["metadata"].get("deletionTimestamp"):
            yield from _leaving(picture, ref, pod)
            continue
        yield from _unscheduled(ref, pod)
        yield from _given_up(ref, pod)
        yield from _not_begun(picture, ref, pod)
    for ref, item in picture.objects.items():
        if ref.kind not in {"Pod", "Namespace", "Application", "Event"}:
            yield from _held(picture, ref, item)


def _facts(ref: subjects.Ref, message: object) -> dict[str, object]:
    return {"pod": ref.name, "namespace": ref.namespace, "message": message or ""}


def _unscheduled(ref: subjects.Ref, pod: pictures.Object) -> Iterator[pictures.Cause]:
    scheduled = pictures.condition(pod, "PodScheduled")
    if scheduled.get("status") != "False":
        return
    message = str(scheduled.get("message") or "")
    small = message.lower()
    for text_id, first, second in _REASONS:
        if first in small and second in small:
            command = pods.describe(ref)
            if text_id in {"diagnosis.claim-absent", "diagnosis.claim-unbound"}:
                command = ("kubectl", "get", "pvc", "-n", ref.namespace)
            elif text_id in _OF_NODES:
                command = ("kubectl", "describe", "nodes")
            owner = pictures.owner(pod)
            yield pictures.cause(
                ref, text_id, _facts(ref, message), command, fatal=False, owner=owner
            )
            return


def _given_up(ref: subjects.Ref, pod: pictures.Object) -> Iterator[pictures.Cause]:
    """Evicted, or lost with its node."""
    status = pod.get("status") or {}
    reason = status.get("reason")
    facts = _facts(ref, status.get("message"))
    owner = pictures.owner(pod)
    if reason == "Evicted":
        command = ("kubectl", "describe", "nodes")
        yield pictures.cause(ref, "diagnosis.evicted", facts, command, fatal=False, owner=owner)
    # The kubelet ends pods of a node that is shut down as `Terminated` and refuses new ones as
    # `NodeShutdown`; `NodeLost` is the node controller's word for a node that does not answer any
    # more.
    elif reason in {"NodeLost", "NodeShutdown", "Terminated"} or status.get("phase") == "Unknown":
        facts |= {"node": (pod.get("spec") or {}).get("nodeName") or "-"}
        command = ("kubectl", "get", "nodes")
        yield pictures.cause(ref, "diagnosis.node-lost", facts, command, fatal=False, owner=owner)


def _not_begun(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object
) -> Iterator[pictures.Cause]:
    owner = pictures.owner(pod)
    is_waiting = any(
        not container.get("ready")
        for container in (pod.get("status") or {}).get("containerStatuses") or [{}]
    )
    if not is_waiting:
        return
    command: tuple[str, ...]
    if not pods.has_begun(pod):
        for event in picture.events(ref, "FailedCreatePodSandBox")[-1:]:
            facts, command = _facts(ref, event.get("message")), pods.describe(ref)
            yield pictures.cause(
                ref, "diagnosis.no-network", facts, command, fatal=False, owner=owner
            )
        for event in picture.events(ref, "FailedAttachVolume")[-1:]:
            facts = _facts(ref, event.get("message"))
            command = ("kubectl", "get", "volumeattachments")
            yield pictures.cause(
                ref, "diagnosis.volume-taken", facts, command, fatal=False, owner=owner
            )
    for event in picture.events(ref, "FailedToRetrieveImagePullSecret")[-1:]:
        facts = _facts(ref, event.get("message"))
        names = ((pod.get("spec") or {}).get("imagePullSecrets")) or []
        facts |= {"secrets": ", ".join(str(entry.get("name")) for entry in names) or "-"}
        secrets = [str(entry.get("name")) for entry in names]
        command = ("kubectl", "get", "secret", *secrets, "-n", ref.namespace)
        if any(
            _cannot_pull(status)
            for status in (pod.get("status") or {}).get("containerStatuses") or []
        ):
            fatal = images.is_settled([event], picture.events(ref, "Failed"))
            yield pictures.cause(
                ref, "diagnosis.pull-secret-absent", facts, command, fatal=fatal, owner=owner
            )
    messages = [event.get("message") or "" for event in picture.events(ref, "Failed")]
    for message in messages:
        if "no match for platform" in message:
            facts = _facts(ref, message)
            command = ("kubectl", "get", "nodes", "-L", "kubernetes.io/arch")
            text_id = "diagnosis.architecture"
            yield pictures.cause(
                ref, text_id, facts | {"container": "-"}, command, fatal=True, owner=owner
            )
            return


def _cannot_pull(status: object) -> bool:
    state = status.get("state") if isinstance(status, dict) else None
    waiting = (state or {}).get("waiting") or {}
    return waiting.get("reason") in images.REASONS


def _leaving(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object
) -> Iterator[pictures.Cause]:
    metadata = pod["metadata"]
    # The timestamp is that of the end of the grace period.
    late = picture.age(metadata.get("deletionTimestamp"))
    if late < _GRACE:
        return
    facts = _facts(ref, "") | {"seconds": f"{late:.0f}"}
    owner = pictures.owner(pod)
    if metadata.get("finalizers"):
        yield _finalizer(ref, metadata["finalizers"], late, owner)
        return
    facts |= {"node": (pod.get("spec") or {}).get("nodeName") or "-"}
    command = (
        "kubectl",
        "delete",
        "pod",
        ref.name,
        "-n",
        ref.namespace,
        "--grace-period=0",
        "--force",
    )
    yield pictures.cause(ref, "diagnosis.pod-stays", facts, command, fatal=False, owner=owner)


def _held(
    picture: pictures.Picture, ref: subjects.Ref, item: pictures.Object
) -> Iterator[pictures.Cause]:
    """An object that a finalizer keeps from going."""
    metadata = item.get("metadata") or {}
    late = picture.age(metadata.get("deletionTimestamp"))
    if metadata.get("finalizers") and late > _PATIENCE:
        yield _finalizer(ref, metadata["finalizers"], late, None)


def _finalizer(
    ref: subjects.Ref, finalizers: list[object], late: float, owner: subjects.Ref | None
) -> pictures.Cause:
    facts = {
        "object": str(ref),
        "finalizers": ", ".join(map(str, finalizers)),
        "seconds": f"{late:.0f}",
    }
    place = ("-n", ref.namespace) if ref.namespace else ()
    where = "jsonpath={.metadata.finalizers}"
    command = ("kubectl", "get", ref.kind.lower(), ref.name, *place, "-o", where)
    return pictures.cause(ref, "diagnosis.finalizer", facts, command, fatal=False, owner=owner)
