"""``hanbae checklist attest`` and ``waive``: what a person says of an item, for the deployments of the whole team."""

from __future__ import annotations

from datetime import UTC, date
from typing import Literal

from hanbae import errors, workspaces
from hanbae.deploying import stating
from hanbae.gates import deciding
from hanbae.policy import documents
from hanbae.results import checklists


async def state(
    space: workspaces.Workspace,
    service: str,
    environment: str,
    item: str,
    *,
    outcome: Literal["waived", "attested"],
    why: str = "",
    until: date | None = None,
) -> checklists.Statement:
    """Say of an item that it is so, or that it need not be.

    It holds for the head of the environment's branch, or, with a last day, for every commit until then.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        item: Id of the item.
        outcome: What is said.
        why: Why it need not be, which must be said, or what was seen.
        until: The last day on which it holds, in UTC.

    Raises:
        hanbae.errors.WrongUse: There is no such service, environment or item; a gate decides what is attested; a
            reason is missing, or too long; the last day is over.
        hanbae.errors.Unreachable: The cluster or the remote did not answer, or does not let us.
    """
    space.refuse_unknown((service,), environment)
    _check(_item(space.policy, item), outcome, why.strip())
    # The last day counts in UTC, whatever time zone this machine has.
    if until is not None and until < space.clock().astimezone(UTC).date():
        raise errors.WrongUse("checklist.day-over", day=until.isoformat())
    # Without a last day it is said of one commit: another one has to be looked at anew.
    commit = "" if until is not None else await space.head(environment)
    async with space.clusters(environment) as clusters:
        identity: checklists.Identity = "cluster" if clusters.argocd is None else "argocd"
        statement = checklists.Statement(
            item,
            outcome,
            await clusters.identity(),
            identity,
            space.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
            why.strip(),
            commit,
            until.isoformat() if until is not None else "",
        )
        await stating.add(space, clusters.workload, service, environment, statement)
    return statement


def _item(policy: documents.Policy, name: str) -> documents.Item:
    every = {item.id: item for phase in checklists.PHASES for item in deciding.items(policy, phase)}
    if name not in every:
        raise errors.WrongUse("checklist.no-item", item=name, known=", ".join(every))
    return every[name]


def _check(item: documents.Item, outcome: str, why: str) -> None:
    if outcome == "attested" and item.decided_by in deciding.GATES:
        raise errors.WrongUse("checklist.not-attested", item=item.id, gate=item.decided_by)
    if len(why) > stating.LONGEST or (outcome == "waived" and not why):
        raise errors.WrongUse("checklist.no-reason", most=str(stating.LONGEST))
