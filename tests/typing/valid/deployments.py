"""A deployment is followed, its facts are told apart, and their fields are known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import assert_never, assert_type

import hanbae


async def follow(folder: Path) -> AsyncIterator[hanbae.Event]:
    with hanbae.open_workspace(folder, context="kind") as space:
        prepared = await hanbae.prepare(space, (), "dev")
        assert_type(prepared.plans, dict[str, hanbae.Plan])
        for deployment, plan in prepared.plans.items():
            async with hanbae.deploying(
                space, plan, deployment=deployment, by=prepared.by, limit=60
            ) as events:
                async for event in events:
                    yield event


def sentence(fact: hanbae.Fact) -> str:  # noqa: C901, PLR0911, PLR0912
    """Every kind of fact is named: a new one makes the type checker complain here."""
    match fact:
        case hanbae.Opened(revision=revision):
            return revision
        case hanbae.Intended(key=key):
            return key
        case hanbae.Began():
            return "Argo CD" if fact.automated else "hanbae"
        case hanbae.Observed(on=on, state=state):
            assert_type(on, hanbae.Ref)
            return f"{on}: {state}"
        case hanbae.Logged():
            return fact.line
        case hanbae.Proved():
            assert_type(fact.applied, tuple[int, ...])
            return fact.database
        case hanbae.TakenBack():
            assert_type(fact.versions, tuple[int, ...])
            return fact.database
        case hanbae.Migrated():
            assert_type(fact.applied, tuple[int, ...])
            return fact.failed or fact.database
        case hanbae.Diagnosed():
            assert_type(fact.cause, hanbae.Text)
            return fact.cause.id
        case hanbae.Noted(text=text):
            return text.id
        case hanbae.Decided(checked=checked):
            return checked.phase
        case hanbae.Closed(outcome=outcome):
            return outcome
        case _:
            assert_never(fact)


def summary(events: list[hanbae.Event]) -> dict[str, int | None]:
    deployment = hanbae.fold_events(events)
    assert_type(deployment, hanbae.Deployment)
    return {migration.database: migration.version for migration in deployment.migrations}
