"""What a driver that goes on with a deployment makes of what an earlier one has recorded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support import records

from hanbae import subjects
from hanbae.deploying import driver, orders, recording, resuming
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
