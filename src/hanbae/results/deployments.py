"""A deployment as people ask about it: a fold over its events, never stored apart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from hanbae import wording
from hanbae.results import events

Outcome = Literal["running", "succeeded", "failed", "refused", "stopped", "superseded", "unknown"]


class Migration(Struct, frozen=True):
    """What was proven about one database."""

    database: str
    files: int
    version: int
    applied: tuple[int, ...] = ()


class Deployment(Struct, frozen=True, omit_defaults=False):
    """One service in one environment, one run of a plan.

    Attributes:
        id: The deployment's id.
        service: The service.
        environment: The environment.
        revision: Full commit id.
        outcome: ``running`` until it is closed.
        trigger: ``automated`` when Argo CD's own record says that it started the sync, else ``manual``;
            None before it began.
        migrations: What was proven, one entry per database in migration order.
        diagnoses: Causes that were named.
        opened: When it was opened, in UTC.
        closed: When it was closed, or None.
        why: Why it ended as it did.
    """

    id: str
    service: str
    environment: str
    revision: str
    outcome: Outcome
    trigger: Literal["automated", "manual"] | None = None
    migrations: tuple[Migration, ...] = ()
    diagnoses: tuple[events.Diagnosed, ...] = ()
    opened: datetime | None = None
    closed: datetime | None = None
    why: wording.Text | None = None


def fold(stream: Iterable[events.Event]) -> Deployment:
    """What a deployment's events add up to.

    Args:
        stream: All events of one deployment in order; at least the first.

    Raises:
        ValueError: The stream does not begin with ``Opened``.
    """
    state: dict[str, object] = {}
    migrations: list[Migration] = []
    diagnoses: list[events.Diagnosed] = []
    for event in stream:
        fact = event.fact
        if isinstance(fact, events.Opened):
            state |= {
                "id": event.deployment,
                "service": fact.plan.service,
                "environment": fact.plan.environment,
                "revision": fact.revision,
                "outcome": "running",
                "opened": event.at,
            }
        elif isinstance(fact, events.Began):
            state["trigger"] = "automated" if fact.automated else "manual"
        elif isinstance(fact, events.Proved):
            migrations.append(Migration(fact.database, fact.files, fact.version, fact.applied))
        elif isinstance(fact, events.Diagnosed):
            diagnoses.append(fact)
        elif isinstance(fact, events.Closed):
            state |= {"outcome": fact.outcome, "why": fact.why, "closed": event.at}
    if "id" not in state:
        message = "a deployment's events begin with Opened"
        raise ValueError(message)
    return Deployment(**state, migrations=tuple(migrations), diagnoses=tuple(diagnoses))  # type: ignore[arg-type]
