"""What of a release was there before a deployment began, so that it is not taken for the deployment's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from hanbae import errors, subjects
from hanbae.clusters import connections, kinds, reading
from hanbae.engines import ownership, workloads
from hanbae.policy import labels


async def workload(
    cluster: connections.Cluster,
    namespace: str,
    release: str,
    secret: str,
    hooks: Iterable[subjects.Ref],
    *,
    alone: bool,
    key: str = "",
    maker: kinds.Kind = kinds.SEALEDSECRET,
) -> workloads.Workload:
    """The workload of a release, which knows what of it was there before.

    Args:
        cluster: The workload cluster.
        namespace: The release's namespace.
        release: The release by whose label its objects are known; empty where they have none.
        secret: Name of the service's Secret.
        hooks: The hooks that the deployment must run.
        alone: Whether nobody else changes these objects meanwhile, so that a change is the deployment's.
        key: The key of hooks that an earlier driver of this very deployment has made; empty where none can be.
        maker: The kind of which a controller makes the Secret.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    # By no label: a hook that carries none would be taken for a new one.
    jobs = await reading.find(cluster, kinds.JOB, namespace)
    try:
        warnings = await reading.find(
            cluster, kinds.EVENT, namespace, field_selector=workloads.WARNINGS
        )
    except errors.Forbidden:
        warnings = []  # they cannot be watched either, which is said then
    return workloads.Workload(
        cluster,
        namespace,
        release,
        secret,
        hooks,
        maker=maker,
        # An earlier driver of this deployment made a Job with the key: among the old ones it would
        # never count as the hook's.
        old=[job["metadata"]["uid"] for job in jobs if not key or key_of(job) != key],
        # A repeated Event keeps its uid and gets a new version; the repetition is news.
        warned_before={
            event["metadata"]["uid"]: event["metadata"]["resourceVersion"] for event in warnings
        },
        before=await _shapes(cluster, namespace, release, secret, maker) if alone else None,
    )


def key_of(job: kinds.Object) -> str:
    """The key of the intent with which hanbae has made a Job; empty for anybody else's."""
    return str((job["metadata"].get("labels") or {}).get(labels.KEY) or "")


async def _shapes(
    cluster: connections.Cluster, namespace: str, release: str, secret: str, maker: kinds.Kind
) -> dict[str, Any] | None:
    """The uid of what is there now → its shape; None where that may not be seen."""
    if not release:
        return None  # what others deploy into the namespace could not be told from it
    label = ownership.by_label(release)
    field = f"metadata.name={secret}"
    try:
        listed = await asyncio.gather(
            reading.find(cluster, maker, namespace, field_selector=field),
            *(
                reading.find(cluster, kind, namespace, label_selector=label)
                for kind in (kinds.DEPLOYMENT, kinds.STATEFULSET)
            ),
        )
    except (errors.Forbidden, errors.WrongUse):
        # Then an object counts as the deployment's only once the engine reports it as applied.
        return None
    return {
        live["metadata"]["uid"]: workloads.shape(live)
        for live_objects in listed
        for live in live_objects
    }
