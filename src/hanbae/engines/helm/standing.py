"""Where a service that Helm deploys stands in an environment, by Helm's record and the rollouts of its workloads."""

from __future__ import annotations

from typing import Final

from hanbae.clusters import connections, kinds, reading
from hanbae.engines import ownership, rollouts
from hanbae.engines.helm import records
from hanbae.results import standings

_DEPLOYED: Final = "deployed"


async def read(
    cluster: connections.Cluster,
    service: str,
    environment: str,
    *,
    namespace: str,
    release: str,
    head: str,
) -> standings.Standing:
    """Where it stands; ``behind`` where another commit than the branch's head was installed.

    Args:
        cluster: The cluster of the pods.
        service: The service.
        environment: The environment.
        namespace: The release's namespace.
        release: The Helm release.
        head: The commit at the head of the branch.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us look.
    """
    record = await records.last(cluster, namespace, release)
    if record is None:
        return standings.Standing(service, environment, "absent", head=head)
    state: standings.State = "current"
    images: list[str] = []
    message = f"Helm: {record.number} {record.status}"
    if record.is_pending:
        state = "busy"
    elif record.status != _DEPLOYED:
        state = "degraded"
    elif not record.revision:
        state = "unknown"  # somebody has installed it by hand since
    elif record.revision != head:
        state = "behind"
    label = ownership.by_label(release)
    for kind in (kinds.DEPLOYMENT, kinds.STATEFULSET):
        for live in await reading.find(cluster, kind, namespace, label_selector=label):
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
