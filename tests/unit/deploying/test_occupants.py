"""What is done about an operation of somebody else that is in the way: whose it is decides, and what it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.support import objects

from hanbae import subjects
from hanbae.clusters import kinds
from hanbae.deploying import occupants, recording, stopping
from hanbae.engines import protocol
from hanbae.history import stores
from hanbae.results import events, plans
from hanbae.streams import channels

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLD, NEW, ELSEWHERE = "1" * 40, "2" * 40, "3" * 40
PLAN = plans.Plan(1, "auth", "dev", (plans.Step("sync", plans.Follow("auth-dev", NEW)),))
JOB = objects.job("auth-service-migrate")
OWNED = {
    "ownerReferences": [
        {"kind": "Job", "name": "auth-service-migrate", "controller": True, "uid": "x"}
    ]
}


def pod(reason: str, message: str) -> kinds.Object:
    broken = objects.pod(
        "auth-service-migrate-1", containers=[objects.waiting(reason, message=message)]
    )
    broken["metadata"] |= OWNED
    return broken


HOPELESS = pod("ErrImagePull", "registry.example.com/auth:9: not found")
MOMENTARY = pod("ErrImagePull", "dial tcp: i/o timeout")


class Engine:
    """An engine that is busy with one operation until that is ended."""

    def __init__(self, broken: kinds.Object, *, automated: bool, revision: str, age: float) -> None:
        started = (NOW - timedelta(seconds=age)).isoformat()
        by = "" if automated else "mina"
        present = {kinds.ref(manifest): manifest for manifest in (JOB, broken)}
        self.now: protocol.Occupant | None = protocol.Occupant(
            "o1", revision, by, automated, started, "waiting for completion of hook", present
        )
        self.ended = 0

    async def occupant(self) -> protocol.Occupant | None:
        return self.now

    async def end(self, occupant: protocol.Occupant) -> bool:
        assert occupant == self.now
        self.ended += 1
        self.now = None
        return True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[stores.Store]:
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def of_revision(*_: object) -> plans.Plan:
        return PLAN

    async def nothing(*_: object, **__: object) -> tuple[subjects.Ref, ...]:
        return ()

    monkeypatch.setattr(occupants, "LOOK", 0.01)
    monkeypatch.setattr(occupants, "CONFIRMED", 0.05)
    monkeypatch.setattr(occupants, "of_revision", of_revision)
    monkeypatch.setattr(stopping, "bare_running", nothing)
    monkeypatch.setattr(stopping, "until_ended", nothing)


async def cleared(store: stores.Store, engine: Engine) -> tuple[bool, list[events.Fact]]:
    """Whether the way is free in the end, and what was recorded."""
    channel: channels.Channel[events.Event] = channels.Channel()
    record = recording.Record(store, "d1", channel, lambda: NOW)
    await record.add(None, events.Opened(PLAN, "jiwon", NEW))
    checkout = SimpleNamespace(is_ancestor=lambda old, new: (old, new) == (OLD, NEW))
    space: Any = SimpleNamespace(clock=lambda: NOW, checkout=checkout)
    clusters: Any = SimpleNamespace(workload=None)
    typed: Any = engine
    looked = occupants.Occupants(space, clusters, PLAN, record, typed, proven={})
    async with asyncio.timeout(20):
        is_free = await looked.clear("sync")
    return is_free, [event.fact for event in store.events("d1")]


def causes(facts: list[events.Fact]) -> list[events.Diagnosed]:
    return [fact for fact in facts if isinstance(fact, events.Diagnosed)]


async def test_a_hopeless_automated_sync_of_an_earlier_commit_is_ended(store: stores.Store) -> None:
    engine = Engine(HOPELESS, automated=True, revision=OLD, age=60)
    is_free, facts = await cleared(store, engine)
    assert (is_free, engine.ended) == (True, 1)
    (cause,) = causes(facts)
    assert cause.cause.id == "diagnosis.image-not-found"
    assert not cause.fatal, "it is not this deployment's end"
    assert not cause.command, "what it would be about goes with the operation"
    notes = [fact.text.id for fact in facts if isinstance(fact, events.Noted)]
    assert notes == ["deploy.ends-hopeless"]


@pytest.mark.parametrize(
    ("broken", "automated", "revision"),
    [(HOPELESS, False, OLD), (HOPELESS, True, ELSEWHERE), (MOMENTARY, True, OLD)],
    ids=["a person's", "of another history", "may heal"],
)
async def test_any_other_operation_is_named_with_its_cause_and_left_alone(
    store: stores.Store, broken: kinds.Object, automated: bool, revision: str
) -> None:
    engine = Engine(broken, automated=automated, revision=revision, age=60)
    is_free, facts = await cleared(store, engine)
    assert (is_free, engine.ended) == (False, 0)
    assert len(causes(facts)) == 1


async def test_one_that_has_just_begun_gets_the_patience_of_hanbaes_own(
    store: stores.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("hanbae.deploying.giving_up.PATIENCE", 0.2)
    engine = Engine(HOPELESS, automated=True, revision=OLD, age=0)
    looks = engine.occupant

    async def counted() -> protocol.Occupant | None:
        waited.append(asyncio.get_running_loop().time())
        return await looks()

    monkeypatch.setattr(engine, "occupant", counted)
    is_free, _ = await cleared(store, engine)
    assert is_free
    # On a busy machine the last look may be answered long after it was asked.
    assert asyncio.get_running_loop().time() - waited[0] >= 0.2
    assert len(waited) > 1


async def test_one_whose_pod_is_out_of_sight_at_every_second_look_is_ended_as_well(
    store: stores.Store,
) -> None:
    """The hook's Job makes one pod after the other, and each cannot start."""
    engine = Engine(HOPELESS, automated=True, revision=OLD, age=60)
    looks = 0

    async def flickering() -> protocol.Occupant | None:
        nonlocal looks
        looks += 1
        if engine.now is None or looks % 2:
            return engine.now
        return msgspec.structs.replace(engine.now, objects={kinds.ref(JOB): JOB})

    engine.occupant = flickering  # type: ignore[method-assign]
    is_free, _ = await cleared(store, engine)
    assert (is_free, engine.ended) == (True, 1)
    assert looks >= 3


async def test_nothing_is_ended_within_a_bare_migration(
    store: stores.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def running(*_: object, **__: object) -> tuple[stopping.Bare, ...]:
        nonlocal looks
        looks += 1
        return (stopping.Bare(kinds.ref(JOB)),) if looks < 3 else ()

    monkeypatch.setattr(stopping, "bare_running", running)
    engine = Engine(HOPELESS, automated=True, revision=OLD, age=60)
    is_free, _ = await cleared(store, engine)
    assert (is_free, engine.ended, looks) == (True, 1, 3)
