"""Decides what the checklist asks of a deployment while it runs and after it, from its record and from the cluster."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from hanbae import workspaces
from hanbae.deploying import cluster_versions, orders, recording, stating, trusting
from hanbae.gates import deciding, targets
from hanbae.images import sources
from hanbae.planning import deployments
from hanbae.results import checklists, events

_PHASES: Final[tuple[checklists.Phase, ...]] = ("during", "after")


async def decide(
    order: orders.Order,
    clusters: workspaces.Clusters,
    record: recording.Record,
    marks: Mapping[str, str],
) -> events.Closed | None:
    """Decide and record the items while the deployment ran, then those after it.

    Of those before it, what nobody could see then is decided first, where the rollout tells.

    What an earlier driver of the same deployment has recorded is not decided again.

    Args:
        order: The deployment.
        clusters: Its clusters.
        record: Its record.
        marks: The marks of its Lease, among which is what people say of the items.

    Returns:
        How the deployment ends where an item has failed, else None.

    Raises:
        hanbae.errors.FileFault: A fault in the files of the commit.
    """
    space, plan = order.space, order.plan
    recorded = tuple(space.store.events(order.deployment))
    decided = {
        event.fact.checked.phase: event.fact.checked
        for event in recorded
        if isinstance(event.fact, events.Decided)
    }
    target = targets.Target(
        order.source or await _source(order, clusters),
        plan,
        clusters.workload,
        sources.of(space.policy, insecure=space.insecure),
        recorded=recorded,
        redact=record.redact,
        proved=tuple(event.fact for event in recorded if isinstance(event.fact, events.Proved)),
        began=deciding.began(recorded),
        trusted=trusting.commands(space),
        clock=space.clock,
        stated=stating.holding(marks, plan.revision, space.clock()),
        typed=functools.partial(space.typed, plan.environment),
    )
    failed: list[checklists.Decision] = []
    before = decided.get("before")
    if before is not None:
        later = await deciding.again(before, target)
        if later is not None:
            await record.add(None, events.Decided(later))
        failed += checklists.failed([later or before])
    for phase in _PHASES:
        checked = decided.get(phase)
        if checked is None:
            checked = await deciding.decide(phase, target)
            await record.add(None, events.Decided(checked))
        failed += checklists.failed([checked])
    if not failed:
        return None
    command = failed[0].command or ("hanbae", "checklist", "show", order.deployment)
    return events.Closed("failed", failed[0].evidence[0], command)


async def _source(order: orders.Order, clusters: workspaces.Clusters) -> deployments.Source:
    """The service at the commit of a deployment that somebody else had begun."""
    space, plan = order.space, order.plan
    served = await cluster_versions.read(clusters.workload)
    revision = space.checkout.revision(plan.revision)
    return await deployments.read(
        space.policy, revision, plan.service, plan.environment, cluster=served
    )
