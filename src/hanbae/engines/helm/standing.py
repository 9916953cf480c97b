"""Where services that Helm deploys stand in an environment, by Helm's records and the rollouts of their workloads."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hanbae.clusters import connections, kinds, reading
from hanbae.engines import owning_releases, rollouts
from hanbae.engines.helm import records
from hanbae.results import standings
from hanbae.streams import gathering


class Release(Struct, frozen=True):
    """What there is of a release.

    Attributes:
        record: Helm's newest record; None where it has none.
        objects: Its Deployments and StatefulSets.
    """

    record: records.Record | None
    objects: tuple[kinds.Object, ...] = ()


NONE: Final = Release(None)
"""A release that is not there."""


async def read(cluster: connections.Cluster, namespace: str) -> dict[str, Release]:
    """Name → release, of every release of a namespace: a handful of lists, however many there are.

    Args:
        cluster: The cluster of the pods.
        namespace: The namespace.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us look.
    """
    newest = await records.newest(cluster, namespace)
    listed = await gathering.whole(
        reading.find(cluster, kind, namespace) for kind in (kinds.DEPLOYMENT, kinds.STATEFULSET)
    )
    by_release: dict[str, list[kinds.Object]] = {}
    for live in (live for objects in listed for live in objects):
        by_release.setdefault(owning_releases.release_of(live, namespace), []).append(live)
    return {
        name: Release(record, tuple(by_release.get(name, ()))) for name, record in newest.items()
    }


def judge(release: Release, service: str, environment: str, *, head: str) -> standings.Standing:
    """Where a service stands; ``behind`` where another commit than the branch's head was installed.

    Args:
        release: What there is of its release.
        service: The service.
        environment: The environment.
        head: The commit at the head of the branch.
    """
    record = release.record
    if record is None:
        return standings.Standing(service, environment, "absent", head=head)
    state = _recorded(record, head)
    images: list[str] = []
    message = f"Helm: {record.number} {record.status}"
    for live in release.objects:
        progress = rollouts.progress(live)
        images += rollouts.images(live).values()
        if progress.state == "Failed":
            state, message = "degraded", progress.message
        elif not progress.complete and state in {"current", "behind"}:
            state, message = "progressing", progress.message
    return standings.Standing(
        service,
        environment,
        state,
        record.revision,
        head,
        record.created,
        tuple(dict.fromkeys(images)),
        message=message,
    )


def _recorded(record: records.Record, head: str) -> standings.State:
    """Where a service stands by Helm's record alone."""
    if record.is_pending:
        return "busy"
    if record.status != records.DEPLOYED:
        return "degraded"
    if not record.revision:
        return "unknown"  # somebody has installed it by hand since
    return "current" if record.revision == head else "behind"
