"""What somebody has changed by hand in what Helm has installed, as Argo CD says it of what it has synced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, subjects, workspaces
from hanbae.clusters import connections
from hanbae.deploying import live_objects, taken_away
from hanbae.engines.helm import program, records, released
from hanbae.planning import drifting, forecasting, scheduling
from hanbae.policy import naming
from hanbae.results import drifts

_KEEP: Final = ("helm.sh/resource-policy", "keep")


class Installed(Struct, frozen=True):
    """What there is of a release.

    Attributes:
        drifts: What is not as Helm has applied it last.
        present: What Helm has applied last, as it is now.
        kept: Those of that which Helm never deletes, because they say so.
    """

    drifts: tuple[drifts.Drift, ...] = ()
    present: Mapping[subjects.Ref, forecasting.Live] = {}
    kept: frozenset[subjects.Ref] = frozenset()


NOTHING: Final = Installed()
"""What there is where Helm has installed nothing, or is in the middle of it."""


async def of_service(
    space: workspaces.Workspace, cluster: connections.Cluster, service: str, environment: str
) -> Installed:
    """What there is of a service; nothing where Helm's records may not be read.

    A release that was deployed and that Helm knows no more is itself what differs.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    namespace = naming.namespace(space.policy, service, environment)
    release = naming.release(space.policy, service, environment)
    try:
        record = await records.last(cluster, namespace, release)
        if record is None:
            return Installed(await taken_away.of_service(space, cluster, service, environment))
        return (await of_releases(cluster, namespace, {release: record}))[release]
    except errors.Forbidden:
        return NOTHING


async def of_releases(
    cluster: connections.Cluster, namespace: str, newest: Mapping[str, records.Record]
) -> dict[str, Installed]:
    """Release → what there is of it.

    Args:
        cluster: The cluster of the pods.
        namespace: The namespace of the records.
        newest: Release → its newest record.

    Raises:
        hanbae.errors.Forbidden: Secrets may not be read.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    installed = {name: entry for name, entry in newest.items() if entry.status == records.DEPLOYED}
    applied = await released.objects(cluster, namespace, installed.items())
    api_versions = {
        scheduling.reference(item, namespace): str(item["apiVersion"])
        for items in applied.values()
        for item in items
    }
    live = await live_objects.read(cluster, api_versions)
    return {
        name: _of(applied.get(name, ()), live, namespace, foreign=_foreign(name, entry, namespace))
        for name, entry in newest.items()
    }


def _foreign(name: str, record: records.Record, namespace: str) -> tuple[drifts.Drift, ...]:
    """The release itself, where somebody else than hanbae has installed its newest revision, or is about to."""
    if record.key or not (record.is_pending or record.status == records.DEPLOYED):
        return ()
    drift = drifts.Drift(
        subjects.Ref(drifts.RELEASE, namespace, name),
        at=record.created,
        revision=record.number,
        status=record.status if record.is_pending else "",
    )
    return (drift,)


def _of(
    applied: Sequence[Mapping[str, Any]],
    live: Mapping[subjects.Ref, forecasting.Live],
    namespace: str,
    *,
    foreign: tuple[drifts.Drift, ...],
) -> Installed:
    refs = {scheduling.reference(item, namespace): item for item in applied}
    present = {ref: live[ref] for ref in refs}
    differing = drifting.of(present, applied, namespace, manager=program.MANAGER)
    name, value = _KEEP
    retained_refs = [
        ref
        for ref, item in refs.items()
        if (item["metadata"].get("annotations") or {}).get(name) == value
    ]
    return Installed((*foreign, *differing), present, frozenset(retained_refs))
