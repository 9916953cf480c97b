"""Which gate decides which item, and what becomes of the items of a phase."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

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
    own_command,
    restore_point,
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

GATES: Final[Mapping[str, Gate]] = {
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
    "restore-point": restore_point.decide,
}
"""Check of the policy → what decides it."""

_LAST: Final = ("logs-clean",)
"""Gates that look once the others are done: what pods write while they settle belongs to it."""
_TOLD_BY_ROLLOUT: Final = ("secrets-sealed",)
"""Gates before a deployment that see more once it has brought what they look at."""


def began(recorded: Iterable[events.Event]) -> datetime | None:
    """When the last operation of a deployment began, as its record says; None where it has none."""
    moments = [event.at for event in recorded if isinstance(event.fact, events.Began)]
    return moments[-1] if moments else None


def items(policy: documents.Policy, phase: checklists.Phase) -> tuple[documents.Item, ...]:
    """The items of a phase."""
    lists = policy.checklists
    return {"before": lists.before, "during": lists.during, "after": lists.after}[phase]


def gates(policy: documents.Policy, phase: checklists.Phase) -> tuple[str, ...]:
    """The gates that the items of a phase are bound to, each once."""
    checks = (item.decided_by for item in items(policy, phase))
    return tuple(dict.fromkeys(check for check in checks if check in GATES))


async def verdicts_of(checks: Iterable[str], target: targets.Target) -> dict[str, verdicts.Verdict]:
    """Gate → what it says, side by side."""
    selected = list(checks)
    first = [check for check in selected if check not in _LAST]
    last = [check for check in selected if check in _LAST]
    first_verdicts = await asyncio.gather(*(_of(check, target) for check in first))
    last_verdicts = await asyncio.gather(*(_of(check, target) for check in last))
    return dict(zip([*first, *last], [*first_verdicts, *last_verdicts], strict=True))


async def _of(check: str, target: targets.Target) -> verdicts.Verdict:
    try:
        verdict = await GATES[check](target)
    except errors.Error as error:
        return verdicts.unseen(error)
    return verdict.then(*target.typed(verdict.command))


async def own(phase: checklists.Phase, target: targets.Target) -> dict[str, verdicts.Verdict]:
    """Key of an item of the team's own → what its command or its endpoint says, one after the other."""
    judged = {}
    for item in items(target.policy, phase):
        try:
            if item.endpoint is not None:
                judged[_key(item)] = await api_tested.of(item.endpoint, target)
            elif item.command:
                judged[_key(item)] = await own_command.decide(item, target)
        except errors.Error as error:
            judged[_key(item)] = verdicts.unseen(error)
    return judged


def key(decision: checklists.Decision) -> str:
    """What the verdict of an item was filed under, by its decision."""
    return _filed(decision.check, decision.item)


def _key(item: documents.Item) -> str:
    return _filed(item.decided_by, item.id)


def _filed(check: str, item: str) -> str:
    """A gate, which may decide several items; of the team's own, the item itself."""
    return check if check in GATES else f"{check} {item}"


def checked(
    policy: documents.Policy,
    phase: checklists.Phase,
    by_gate: Mapping[str, verdicts.Verdict],
    statements: Iterable[checklists.Statement] = (),
) -> checklists.Checked:
    """What becomes of the items of a phase, by what the gates say, and people of those that did not pass."""
    last_words = {statement.item: statement for statement in statements}  # the last word counts
    return checklists.Checked(
        phase,
        tuple(
            _stated(_decision(item, by_gate.get(_key(item))), last_words.get(item.id))
            for item in items(policy, phase)
        ),
    )


async def decide(phase: checklists.Phase, target: targets.Target) -> checklists.Checked:
    """Decide the items of a phase."""
    by_gate = await verdicts_of(gates(target.policy, phase), target)
    by_gate |= await own(phase, target)
    return checked(target.policy, phase, by_gate, target.stated)


async def again(before: checklists.Checked, target: targets.Target) -> checklists.Checked | None:
    """What became of the items before a deployment, now that it has brought what nobody could see then.

    Args:
        before: What became of them before.
        target: The service, as it is deployed now.

    Returns:
        All of them; None where no more is known than before.
    """
    open_checks = {
        decision.check
        for decision in before.decisions
        if decision.outcome == "undecided" and decision.check in _TOLD_BY_ROLLOUT
    }
    by_gate = await verdicts_of(open_checks, target)
    decided = {check for check, verdict in by_gate.items() if verdict.outcome != "undecided"}
    if not decided:
        return None
    anew = {
        decision.item: decision for decision in checked(target.policy, "before", by_gate).decisions
    }
    decisions = tuple(
        anew.get(decision.item, decision)
        if decision.check in decided and decision.outcome == "undecided"
        else decision
        for decision in before.decisions
    )
    return msgspec.structs.replace(before, decisions=decisions)


def _stated(
    decision: checklists.Decision, statement: checklists.Statement | None
) -> checklists.Decision:
    """What a person says of an item that has not passed; attesting is for items that no gate decides."""
    if statement is None or decision.outcome == "passed":
        return decision
    is_attested = statement.outcome == "attested"
    if is_attested and decision.check != PERSON:
        return decision
    return msgspec.structs.replace(
        decision,
        outcome=statement.outcome,
        evidence=() if is_attested else decision.evidence,
        command=(),
        by=statement.by,
        why=statement.why,
        until=statement.until,
        identity=statement.identity,
    )


def waived(
    policy: documents.Policy, by: str, why: str, identity: checklists.Identity
) -> checklists.Checked:
    """The items before a deployment, which somebody has left out.

    Args:
        policy: The policy.
        by: Who has left them out.
        why: With what, or why.
        identity: Who knows them by this name.
    """
    return checklists.Checked(
        "before",
        tuple(
            checklists.Decision(
                item.id, item.text, item.decided_by, "waived", by=by, why=why, identity=identity
            )
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
