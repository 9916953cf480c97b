"""What was recorded of services' last deployments: the Leases have everybody's, the history of this machine its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from hanbae.clusters import leases
from hanbae.deploying import last_deployments
from hanbae.history import stores
from hanbae.results import checklists, deployments, standings


def completed(
    entries: Sequence[standings.Standing],
    by_service: Mapping[str, leases.State],
    store: stores.Store,
) -> tuple[list[standings.Standing], tuple[deployments.Unreadable, ...]]:
    """Where services stand in one environment, with their last deployments and the gates that failed in these.

    What of their records cannot be read comes with it.

    Args:
        entries: Where they stand.
        by_service: Service → its application's Lease.
        store: The history.
    """
    recorded = [_by_lease(entry, by_service.get(entry.service)) for entry in entries]
    unreadable: tuple[deployments.Unreadable, ...] = ()
    if not all(entry.deployment for entry in recorded):
        listed = store.last(recorded[0].environment)
        unreadable = listed.unreadable
        last = {deployment.service: deployment for deployment in listed.deployments}
        recorded = [
            structs.replace(
                entry, deployment=deployment.id, outcome=deployment.outcome, by=deployment.by
            )
            if not entry.deployment and (deployment := last.get(entry.service))
            else entry
            for entry in recorded
        ]
    phases, undecided = store.phases([entry.deployment for entry in recorded if entry.deployment])
    completed = [structs.replace(entry, gates=_failed(phases, entry)) for entry in recorded]
    return completed, tuple({record.row: record for record in (*unreadable, *undecided)}.values())


def _by_lease(entry: standings.Standing, lease: leases.State | None) -> standings.Standing:
    if lease is None:
        return entry
    claim = last_deployments.claim_of(lease, entry.service, entry.environment)
    if claim is None:
        return entry
    return structs.replace(
        entry,
        deployment=claim.deployment,
        outcome=claim.outcome,
        by=lease.marks.get("by", ""),
    )


def _failed(
    phases: Mapping[str, tuple[checklists.Checked, ...]], entry: standings.Standing
) -> tuple[str, ...]:
    """The items that failed in an entry's last deployment."""
    failed = checklists.failed(phases.get(entry.deployment, ()))
    return tuple(decision.item for decision in failed)
