"""Whether anything may be deployed now: a freeze of the policy refuses it, unless somebody waives it with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from hanbae import errors, wording, workspaces
from hanbae.deploying import holding, orders
from hanbae.policy import calendars, documents
from hanbae.results import checklists

NOT_FROZEN: Final = "not-frozen"
"""What a waived freeze is called among the items before a deployment."""
_SHORT: Final = "%Y-%m-%d %H:%M"


def waived(
    space: workspaces.Workspace,
    environment: str,
    *,
    reason: str,
    by: str,
    identity: checklists.Identity,
) -> tuple[checklists.Decision, ...]:
    """What somebody waives so that an environment can be deployed to; nothing where nothing forbids it.

    Args:
        space: The workspace.
        environment: The environment.
        reason: Why a freeze is waived; empty where it is not.
        by: Who waives it.
        identity: Who knows them by this name.

    Raises:
        hanbae.errors.Refused: The environment is frozen, and no reason was given.
    """
    frozen = calendars.frozen(space.policy, environment, space.clock())
    if frozen is None:
        return ()
    if not reason:
        raise _refusal(space, environment, frozen)
    return (
        checklists.Decision(
            NOT_FROZEN,
            "",
            NOT_FROZEN,
            "waived",
            (wording.Text("freeze.holds", _facts(environment, frozen)),),
            by=by,
            why=reason,
            until=until(frozen),
            identity=identity,
        ),
    )


def keep(order: orders.Order, marks: Mapping[str, str]) -> None:
    """Refuse what has been frozen or held since it was prepared.

    Args:
        order: The deployment, with what was waived.
        marks: What stands on its Lease.

    Raises:
        hanbae.errors.Refused: The environment is frozen, and that was not waived, or somebody holds the commit.
    """
    space, plan = order.space, order.plan
    # Taking only databases back is allowed under a hold: the rollback has just held the
    # commit that stays.
    if plan.deploys:
        holding.refuse(marks, plan.service, plan.environment, plan.revision)
    decisions = order.before.decisions if order.before is not None else ()
    if any(decision.item == NOT_FROZEN for decision in decisions):
        return
    environment = plan.environment
    frozen = calendars.frozen(space.policy, environment, space.clock())
    if frozen is not None:
        raise _refusal(space, environment, frozen)


def until(frozen: calendars.Frozen) -> str:
    """When a freeze ends, in its own time zone; ``-`` where no end is within sight."""
    if frozen.until is None:
        return "-"
    zone = calendars.zone(frozen.freeze)
    return f"{frozen.until.astimezone(ZoneInfo(zone)).strftime(_SHORT)} {zone}"


def _refusal(
    space: workspaces.Workspace, environment: str, frozen: calendars.Frozen
) -> errors.Refused:
    place = space.loaded.place(f"freezes[{frozen.number}]")
    return errors.Refused("freeze.refused", place=place, **_facts(environment, frozen))


def _facts(environment: str, frozen: calendars.Frozen) -> dict[str, str]:
    freeze: documents.Freeze = frozen.freeze
    return {
        "environment": environment,
        "freeze": freeze.name,
        "reason": freeze.reason,
        "until": until(frozen),
    }
