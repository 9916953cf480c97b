"""What an operation of somebody else's does on the workload cluster, read once instead of watched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hanbae import errors, subjects
from hanbae.clusters import connections, kinds, logs
from hanbae.engines import secrets, workloads

TAIL: Final = 15
"""Lines that are read of a container that has failed."""

Objects = Mapping[subjects.Ref, kinds.Object]
Logs = Mapping[tuple[subjects.Ref, str], Sequence[str]]


async def of_operation(
    cluster: connections.Cluster,
    operation: workloads.Operation,
    hooks: Iterable[subjects.Ref],
    *,
    namespace: str,
    release: str,
    secret: str,
    maker: kinds.Kind = kinds.SEALEDSECRET,
) -> tuple[Objects, Logs]:
    """The objects that belong to an operation, and the last lines of its containers that have failed.

    Args:
        cluster: The workload cluster.
        operation: The operation.
        hooks: The hooks that it runs.
        namespace: The release's namespace.
        release: The Helm release.
        secret: Name of the service's Secret, whose values are masked in the logs.
        maker: The kind of which a controller makes it.
    """
    workload = workloads.Workload(cluster, namespace, release, secret, hooks, maker=maker)
    await workload.load(operation)
    objects = workload.objects
    keeper = secrets.Keeper(cluster, namespace, secret)
    # Before any line is read: only values that are known by then can be masked.
    await keeper.refresh()
    tails: dict[tuple[subjects.Ref, str], Sequence[str]] = {}
    for ref, pod in objects.items():
        if ref.kind != "Pod":
            continue
        containers = pod.get("status") or {}
        for status in (
            *(containers.get("initContainerStatuses") or []),
            *(containers.get("containerStatuses") or []),
        ):
            # A container that runs or waits again has failed in its previous run.
            previous = "terminated" not in (status.get("state") or {})
            ended = (status.get("lastState" if previous else "state") or {}).get("terminated") or {}
            if ended.get("exitCode"):
                lines = await _tail(cluster, ref, status["name"], previous=previous)
                tails[ref, status["name"]] = [keeper.redact(line) for line in lines]
    return objects, tails


async def _tail(
    cluster: connections.Cluster, pod: subjects.Ref, container: str, *, previous: bool
) -> list[str]:
    """The last lines of a container; none where they may not be read or are gone."""
    try:
        lines = await logs.tail(
            cluster, pod.namespace, pod.name, container, lines=TAIL, previous=previous
        )
    except errors.Unreachable:
        return []
    return [line.text for line in lines]
