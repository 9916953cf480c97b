"""A sync of Argo CD's own that an earlier deployment has followed already: nothing of it happens a second time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hanbae.history import stores
from hanbae.results import events, plans

_LOOKED_AT: Final = 10
"""Deployments of an application, the newest first, that may have followed the same operation."""


class Joined(Struct, frozen=True):
    """A deployment that has followed an operation before.

    Attributes:
        deployment: Its id.
        recorded: Its events.
    """

    deployment: str
    recorded: Sequence[events.Event]


def before(
    store: stores.Store, plan: plans.Plan, began: events.Began, *, besides: str
) -> Joined | None:
    """Who has followed an operation of automation's before; None where it is new, or one of hanbae's own.

    Args:
        store: The history.
        plan: What is deployed now.
        began: The operation.
        besides: Id of the deployment that follows it now.
    """
    if not began.automated:
        return None
    earlier = store.deployments(
        service=plan.service, environment=plan.environment, limit=_LOOKED_AT, refused=False
    )
    for deployment in earlier:
        if deployment.id == besides:
            continue
        recorded = store.events(deployment.id)
        facts = (event.fact for event in recorded)
        if any(
            isinstance(fact, events.Began) and fact.operation == began.operation for fact in facts
        ):
            return Joined(deployment.id, recorded)
    return None
