"""Records of deployments, with only what a test is about spelled out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hanbae import wording
from hanbae.results import events, plans

BEGUN = datetime(2026, 11, 23, tzinfo=UTC)
"""When every record begins; the events are a second apart."""


def opened(
    service: str = "auth", environment: str = "dev", *, revision: str = "0" * 40
) -> events.Opened:
    """The first fact of a deployment without steps."""
    plan = plans.Plan(format=1, service=service, environment=environment, steps=())
    return events.Opened(plan=plan, by="tester", revision=revision)


def closed(outcome: str = "succeeded", *, why: str = "deploy.done") -> events.Closed:
    """The last fact."""
    return events.Closed(outcome=outcome, why=wording.Text(why))  # type: ignore[arg-type]


def stream(facts: Iterable[events.Fact], *, deployment: str = "d1") -> list[events.Event]:
    """The facts as the events of one deployment, numbered, a second apart."""
    return [
        events.Event(deployment, seq, BEGUN + timedelta(seconds=seq), None, fact)
        for seq, fact in enumerate(facts, 1)
    ]
