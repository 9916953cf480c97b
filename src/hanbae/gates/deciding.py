"""Which gate decides which item, and what becomes of the items of a phase."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from hanbae import errors, wording
from hanbae.gates import (
    api_tested,
    health_checked,
    image_pushed,
    logs_clean,
    manual_sync,
    migration_enabled,
    migration_logs,
    migration_watched,
    migrations_in_image,
    secrets_sealed,
    targets,
    verdicts,
    versions_updated,
)
from hanbae.policy import documents
from hanbae.results import checklists, events

Gate = Callable[[targets.Target], Awaitable[verdicts.Verdict]]
"""Decides one item; what it cannot see it says, or raises as :class:`hanbae.errors.Error`."""

PERSON: Final = "person"

GATES: Final[Mapping[documents.Check, Gate]] = {
    "image-pushed": image_pushed.decide,
    "migrations-in-image": migrations_in_image.decide,
    "secrets-sealed": secrets_sealed.decide,
    "migration-enabled": migration_enabled.decide,
    "manual-sync": manual_sync.decide,
    "migration-watched": migration_watched.decide,
    "migration-logs": migration_logs.decide,
    "versions-updated": versions_updated.decide,
    "logs-clean": logs_clean.decide,
    "api-tested": api_tested.decide,
    "health-checked": health_checked.decide,
}
"""Check of the policy → what decides it."""

_LAST: Final = ("logs-clean",)
"""Gates that look once the others are done: what pods write while they settle belongs to it."""


def began(recorded: Iterable[events.Event]) -> datetime | None:
    """When the last operation of a deployment began, as its record says; None where it has none."""
    moments = [event.at for event in recorded if isinstance(event.fact, events.Began)]
    return moments[-1] if moments else None


def items(policy: documents.Policy, phase: checklists.Phase) -> tuple[documents.Item, ...]:
    """The items of a phase."""
    lists = policy.checklists
    return {"before": lists.before, "during": lists.during, "after": lists.after}[phase]


def gates(policy: documents.Policy, phase: checklists.Phase) -> tuple[documents.Check, ...]:
    """The gates that the items of a phase are bound to, each once."""
    checks = (item.decided_by for item in items(policy, phase))
    return tuple(dict.fromkeys(check for check in checks if check in GATES))


async def verdicts_of(
    checks: Iterable[documents.Check], target: targets.Target
) -> dict[documents.Check, verdicts.Verdict]:
    """What gates say, side by side."""
    chosen = list(checks)
    first = [check for check in chosen if check not in _LAST]
    last = [check for check in chosen if check in _LAST]
    first_verdicts = await asyncio.gather(*(_of(check, target) for check in first))
    last_verdicts = await asyncio.gather(*(_of(check, target) for check in last))
    return dict(zip([*first, *last], [*first_verdicts, *last_verdicts], strict=True))


async def _of(check: documents.Check, target: targets.Target) -> verdicts.Verdict:
    try:
        return await GATES[check](target)
    except errors.Error as error:
        return verdicts.unseen(error)


def checked(
    policy: documents.Policy,
    phase: checklists.Phase,
    by_gate: Mapping[documents.Check, verdicts.Verdict],
) -> checklists.Checked:
    """What becomes of the items of a phase, by what the gates say."""
    return checklists.Checked(
        phase, tuple(_decision(item, by_gate.get(item.decided_by)) for item in items(policy, phase))
    )


async def decide(phase: checklists.Phase, target: targets.Target) -> checklists.Checked:
    """Decide the items of a phase."""
    by_gate = await verdicts_of(gates(target.policy, phase), target)
    return checked(target.policy, phase, by_gate)


def waived(policy: documents.Policy, by: str, why: str) -> checklists.Checked:
    """The items before a deployment, which somebody has left out.

    Args:
        policy: The policy.
        by: Who has left them out.
        why: With what, or why.
    """
    return checklists.Checked(
        "before",
        tuple(
            checklists.Decision(item.id, item.text, item.decided_by, "waived", by=by, why=why)
            for item in items(policy, "before")
        ),
    )


def _decision(item: documents.Item, verdict: verdicts.Verdict | None) -> checklists.Decision:
    if verdict is None:
        evidence = (wording.Text("gate.unattested"),)
        return checklists.Decision(item.id, item.text, PERSON, "undecided", evidence)
    return checklists.Decision(
        item.id,
        item.text,
        item.decided_by,
        verdict.outcome,
        (*verdict.reasons, *verdict.unseen, *verdict.pending, *verdict.evidence),
        verdict.command,
    )
