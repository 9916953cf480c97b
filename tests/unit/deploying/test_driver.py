"""What a driver that goes on with a deployment makes of what an earlier one has recorded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import records

from hanbae import errors, subjects
from hanbae.deploying import (
    driver,
    orders,
    permitting,
    phases,
    recording,
    resuming,
    unwatched,
    verifying_plan,
)
from hanbae.history import stores
from hanbae.policy import documents
from hanbae.results import events, plans
from hanbae.streams import channels

POLICY = documents.Policy(
    version=1, argocd=documents.ArgoCD("https://git.example.com/shop.git"), environments={}
)
PLAN = plans.Plan(
    1,
    "auth",
    "staging",
    tuple(
        plans.Step(
            f"prove-{database}",
            plans.Prove(database, (1,), subjects.Ref("Job", "services-staging", database), {}),
        )
        for database in ("auth_db", "audit_db")
    ),
)


async def test_a_database_that_an_earlier_driver_has_proven_stays_proven(tmp_path: Path) -> None:
    """Both facts are of one database, and the later one holds."""
    proved = events.Proved("auth_db", 1, 1, ())
    with stores.in_a_file(tmp_path / "history.db") as store:
        store.append("d1", None, events.Opened(PLAN, "mina", "1" * 40), records.BEGUN)
        store.append("d1", "prove-auth_db", proved, records.BEGUN)
        recorded = tuple(store.events("d1"))
        past = resuming.Past("d1", PLAN, "mina", recorded)
        space: Any = SimpleNamespace(policy=POLICY, store=store, clock=lambda: records.BEGUN)
        record = recording.Record(
            store, "d1", channels.Channel(), lambda: records.BEGUN, past=recorded
        )
        run = driver._Run(orders.Order(space, PLAN, "d1", "jiwon", past=past), record)
        await run._look_back()
        migrations = store.deployment("d1").migrations
    assert {entry.database: entry.proven for entry in migrations} == {
        "auth_db": True,
        "audit_db": False,
    }


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_nothing_is_begun_beside_goose_that_nobody_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_resumed: bool
) -> None:
    order: list[str] = []
    limits: list[object] = []

    def noted(name: str) -> Any:
        async def call(*_: object, **named: object) -> None:
            order.append(name)
            limits.extend(named.values())

        return call

    proof = plans.Prove("auth_db", (1, 2), subjects.Ref("Job", "services-staging", "m"), {})
    back = plans.Step("take-back-auth_db", plans.TakeBack(proof, 1, 2, "1" * 40))
    plan = plans.Plan(1, "auth", "staging", (back,))
    monkeypatch.setattr(permitting, "keep", lambda *_: None)
    monkeypatch.setattr(unwatched, "until_ended", noted("waits"))
    monkeypatch.setattr(verifying_plan, "keep", noted("keeps"))
    with stores.in_a_file(tmp_path / "history.db") as store:
        store.append("d1", None, events.Opened(plan, "mina", "1" * 40), records.BEGUN)
        store.append("d1", back.id, events.Intended("d1.take-back-auth_db"), records.BEGUN)
        past = resuming.Past("d1", plan, "mina", tuple(store.events("d1"))) if is_resumed else None
        space: Any = SimpleNamespace(policy=POLICY, store=store, clock=lambda: records.BEGUN)
        record = recording.Record(store, "d1", channels.Channel(), lambda: records.BEGUN)
        run = driver._Run(orders.Order(space, plan, "d1", "jiwon", 60, past=past), record)
        monkeypatch.setattr(run._ways_back, "check", noted("checks"))
        monkeypatch.setattr(run, "_perform", noted("performs"))
        clusters: Any = SimpleNamespace(workload=None)
        engine: Any = None
        lease: Any = SimpleNamespace(marks={})
        closed = await run._drive(clusters, engine, lease)
    assert order == (["performs"] if is_resumed else ["waits", "keeps", "checks", "performs"])
    assert limits == ([] if is_resumed else [run._limit])
    assert (closed.outcome, run._phase) == ("succeeded", phases.Phase.CARRIED_OUT)


@pytest.mark.parametrize("was_made", [False, True])
async def test_a_job_that_was_refused_has_begun_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, was_made: bool
) -> None:
    proof = plans.Prove("auth_db", (1, 2), subjects.Ref("Job", "services-staging", "m"), {})
    back = plans.Step("take-back-auth_db", plans.TakeBack(proof, 1, 2, "1" * 40))
    plan = plans.Plan(1, "auth", "staging", (back,))

    async def had(*_: object) -> tuple[int, ...]:
        return (1, 2)

    with stores.in_a_file(tmp_path / "history.db") as store:
        space: Any = SimpleNamespace(policy=POLICY, store=store, clock=lambda: records.BEGUN)
        record = recording.Record(store, "d1", channels.Channel(), lambda: records.BEGUN)
        store.append("d1", None, events.Opened(plan, "jiwon", "1" * 40), records.BEGUN)
        run = driver._Run(orders.Order(space, plan, "d1", "jiwon"), record)

        async def take(*_: object) -> None:
            if was_made:
                run._ways_back._begin(back)
            raise errors.Forbidden("cluster.forbidden")

        monkeypatch.setattr(run._ways_back, "had", had)
        monkeypatch.setattr(run._ways_back, "take", take)
        clusters: Any = SimpleNamespace(workload=None)
        engine: Any = None
        with pytest.raises(errors.Forbidden) as forbidden:
            await run._perform(clusters, engine)
    expected = phases.Phase.BEGUN if was_made else phases.Phase.REQUESTED
    assert run._phase is expected
    assert phases.outcome(run._phase, forbidden.value) == ("unknown" if was_made else "refused")
