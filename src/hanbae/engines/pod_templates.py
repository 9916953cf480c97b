"""The pod templates of a workload: those that it had, starting its pods anew, and going back, as ``kubectl rollout``.

Nothing here asks whether it should: who owns the workload, and what its database looks like, is for the caller.
"""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from hanbae import subjects
from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.engines import rollouts

KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds that keep their earlier pod templates."""
RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template by which ``kubectl rollout restart`` starts pods anew; git does not have it, so
Argo CD leaves it."""
_NUMBER: Final = "deployment.kubernetes.io/revision"
_HASH: Final = "pod-template-hash"
_LONGEST_NUMBER: Final = 18
"""Digits of a 64-bit number, which Kubernetes counts in."""


class Former(Struct, frozen=True):
    """A pod template that a workload had before.

    Attributes:
        revision: The cluster's number of it, counted up with each template.
        images: Container → image.
        template: The template itself.
    """

    revision: int
    images: dict[str, str]
    template: kinds.Object


async def formers(cluster: connections.Cluster, workload: kinds.Object) -> list[Former]:
    """The templates that a workload had before its present one and that the cluster still keeps, the newest first.

    Args:
        cluster: The workload cluster.
        workload: The workload as it was read.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us read them.
    """
    ref = kinds.ref(workload)
    deployment = ref.kind == "Deployment"
    revisions = await reading.find(
        cluster, kinds.REPLICASET if deployment else kinds.CONTROLLERREVISION, ref.namespace
    )
    uid = workload["metadata"].get("uid")
    # By uid: those of a deleted workload with the same name may still exist.
    own = [item for item in revisions if uid and _owner(item) == uid]
    read = [_of_replicaset(item) if deployment else _of_revision(item) for item in own]
    templates = [former for former in read if former is not None]
    present = _present(workload, templates)
    return sorted(
        (former for former in templates if former.revision < present),
        key=lambda former: former.revision,
        reverse=True,
    )


async def restart(cluster: connections.Cluster, ref: subjects.Ref, now: datetime) -> None:
    """Have a workload start its pods anew, a few at a time as its strategy says.

    Args:
        cluster: The workload cluster.
        ref: The workload.
        now: The time, which becomes part of its template.
    """
    annotations = {RESTARTED: now.isoformat(timespec="seconds")}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    await writing.merge_patch(cluster, kinds.named(ref.kind), ref.namespace, ref.name, patch)


async def put_back(cluster: connections.Cluster, workload: kinds.Object, former: Former) -> None:
    """Give a workload a template that it had before.

    Args:
        cluster: The workload cluster.
        workload: The workload as it was read.
        former: The template.

    Raises:
        hanbae.clusters.answers.Conflict: Its spec has changed since it was read.
        hanbae.clusters.answers.Missing: It is no longer there.
    """
    kind, ref = kinds.named(workload["kind"]), kinds.ref(workload)
    current = workload
    while True:
        changed = copy.deepcopy(current)
        changed["spec"]["template"] = former.template
        try:
            await writing.replace(cluster, kind, changed)
        except answers.Conflict:
            # Controllers write its status and annotations at any time; only a change of the spec is somebody's.
            read = await reading.get(cluster, kind, ref.namespace, ref.name)
            if read is None or not _is_same(read, workload):
                raise
            current = read
        else:
            return


def _is_same(read: kinds.Object, workload: kinds.Object) -> bool:
    """Whether it is the same object with the same spec; a Deployment's generation counts annotations, too."""
    same = read["metadata"].get("uid") == workload["metadata"].get("uid")
    return bool(same and read["spec"] == workload["spec"])


def _present(workload: kinds.Object, templates: list[Former]) -> int:
    """The number of the template that the workload has now."""
    if workload["kind"] == "Deployment":
        return _number(workload) or 0
    # Going back makes the old template the newest again, so the highest number is the present one.
    return max((former.revision for former in templates), default=0)


def _number(item: kinds.Object) -> int | None:
    """The number that a Deployment and its ReplicaSets have as an annotation."""
    text = (item["metadata"].get("annotations") or {}).get(_NUMBER) or ""
    return int(text) if len(text) <= _LONGEST_NUMBER and text.isdecimal() else None


def _of_replicaset(replicaset: kinds.Object) -> Former | None:
    number = _number(replicaset)
    template = copy.deepcopy((replicaset.get("spec") or {}).get("template"))
    if number is None or not template:
        return None
    # The controller adds this label to each ReplicaSet's template; `kubectl rollout
    # undo` drops it too.
    ((template.get("metadata") or {}).get("labels") or {}).pop(_HASH, None)
    return Former(number, rollouts.images(replicaset), template)


def _of_revision(revision: kinds.Object) -> Former | None:
    data: dict[str, Any] = revision.get("data") or {}
    template = copy.deepcopy((data.get("spec") or {}).get("template"))
    if not isinstance(template, dict) or not isinstance(revision.get("revision"), int):
        return None
    # A ControllerRevision stores a patch: this key marks the template as a full replacement, and is
    # no field of a template.
    template.pop("$patch", None)
    return Former(revision["revision"], rollouts.images(data), template)


def _owner(item: kinds.Object) -> str:
    for reference in item["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return str(reference.get("uid") or "")
    return ""
