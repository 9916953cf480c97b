"""What the record says of a database that was taken back, and what is made of it afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hanbae import errors, subjects, wording
from hanbae.cli.text import catalogue, event_lines
from hanbae.clusters import awaiting, probes, reading
from hanbae.deploying import (
    aftermath,
    claiming,
    mending,
    orders,
    proving,
    recording,
    resuming,
    taking_back,
)
from hanbae.deploying import driver as driving
from hanbae.history import stores
from hanbae.migrations import statuses
from hanbae.policy import documents, loading
from hanbae.results import deployments, events, plans
from hanbae.sandbox import demo_repository
from hanbae.streams import channels

HEAD, OLD = "b" * 40, "a" * 40
FILES = tuple(f"services/auth/migrations/{number:05d}_m.sql" for number in (1, 2, 3))
PROOF = plans.Prove("auth_db", (1, 2, 3), subjects.Ref("Job", "s", "m"), {}, files=FILES)
BACK = plans.TakeBack(PROOF, 1, 3, HEAD)
PLAN = plans.Plan(
    1,
    "auth",
    "staging",
    (
        plans.Step("take-back-auth_db", BACK),
        plans.Step("sync", plans.Sync("auth-staging", OLD), ("take-back-auth_db",)),
        plans.Step("prove-auth_db", plans.Prove("auth_db", (1,), PROOF.hook, {}), ("sync",)),
    ),
)
TAKEN = events.TakenBack("auth_db", 1, (3, 2), ("00003_m.sql", "00002_m.sql"), 1, 1)
MOMENT = datetime(2026, 11, 29, tzinfo=UTC)


def folded(*facts: events.Fact) -> deployments.Deployment:
    opened = events.Opened(PLAN, "kim", OLD)
    return deployments.fold(
        events.Event("d1", number, MOMENT, None, fact)
        for number, fact in enumerate([opened, *facts])
    )


def test_what_was_taken_back_stays_with_what_is_proven_later() -> None:
    again = events.TakenBack("auth_db", 1, (), (), 1, 1)
    (migration,) = folded(TAKEN).migrations
    assert (migration.version, migration.taken_back, migration.proven) == (1, (3, 2), True)
    (migration,) = folded(TAKEN, again, events.Proved("auth_db", 1, 1, ())).migrations
    assert (migration.version, migration.taken_back, migration.files) == (1, (3, 2), 1)
    (migration,) = folded(TAKEN, TAKEN).migrations
    assert migration.taken_back == (3, 2), "told again by who was stopped just then"
    (migration,) = folded(TAKEN, events.Migrated("auth_db", 1, 1, 1)).migrations
    assert (migration.proven, migration.taken_back) == (False, (3, 2))


def test_a_deployment_that_fails_afterwards_says_where_the_database_was_taken_to(
    tmp_path: Path,
) -> None:
    with stores.open_store(f"sqlite:///{tmp_path / 'history.db'}") as store:
        store.append("d0", None, events.Opened(PLAN, "kim", HEAD), MOMENT)
        store.append("d0", None, events.Proved("auth_db", 3, 3, ()), MOMENT)
        store.append(
            "d0", None, events.Closed("succeeded", wording.Text("deploy.succeeded")), MOMENT
        )
        store.append("d1", None, events.Opened(PLAN, "kim", OLD), MOMENT)
        assert aftermath.before(store, PLAN, "d1") == {"auth_db": 3}
        store.append("d1", "take-back-auth_db", TAKEN, MOMENT)
        assert aftermath.before(store, PLAN, "d1") == {"auth_db": 1}


def test_the_lease_names_what_is_gone_back_from_until_the_next_deployment() -> None:
    marks = claiming._marks("d1", PLAN, "kim")
    assert (marks["revision"], marks["back"]) == (OLD, HEAD)
    forward = plans.Plan(1, "auth", "staging", PLAN.steps[1:])
    assert claiming._marks("d2", forward, "kim")["back"] == ""


def test_the_next_command_goes_on_with_the_same_rollback() -> None:
    command = mending.of_end(PLAN, wording.Text("rollback.stopped-at"))
    assert command == (
        "hanbae", "rollback", "auth", "--env", "staging", "--revision", OLD[:12],
    )  # fmt: skip


def test_it_is_told_with_its_files() -> None:
    catalogue.speak("en")
    (line,) = event_lines.of_fact(TAKEN)
    assert line.words == "auth_db is back at version 1; taken back: 00003_m.sql, 00002_m.sql"
    (line,) = event_lines.of_fact(events.TakenBack("auth_db", 1, ()))
    assert "nothing left to take back" in line.words


STEP = PLAN.steps[0].id
JOB: dict[str, Any] = {
    "metadata": {"namespace": "services", "labels": {}},
    "spec": {
        "template": {"metadata": {"labels": {}}, "spec": {"containers": [{"args": ["status"]}]}}
    },
}
LINE = "2026/11/29 10:00:00 OK   00003_m.sql (1.2ms)"
Driver = Callable[..., tuple[taking_back.WaysBack, plans.Step, list[events.TakenBack]]]


@pytest.fixture(scope="module")
def policy() -> documents.Policy:
    return loading.load(demo_repository.example() / loading.NAME).policy


@pytest.fixture
def driver(policy: documents.Policy, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver of the way back, the step, and what it records; goose says what the test has it say."""

    def begin(
        *recorded: events.Fact, now: tuple[int, ...], log: tuple[str, ...] = ()
    ) -> tuple[taking_back.WaysBack, plans.Step, list[events.TakenBack]]:
        way = msgspec.structs.replace(BACK, proof=msgspec.structs.replace(PROOF, job=JOB))
        step = plans.Step(STEP, way)
        plan = msgspec.structs.replace(PLAN, steps=(step, *PLAN.steps[1:]))
        past = None
        if recorded:
            facts = [events.Opened(plan, "kim", OLD), *recorded]
            stream = [events.Event("d1", n, MOMENT, STEP, fact) for n, fact in enumerate(facts)]
            past = resuming.Past("d1", plan, "kim", tuple(stream))
        taken: list[Any] = []

        async def ask(*_: object, **__: object) -> statuses.Status:
            return statuses.Status(now, ())

        async def run(*_: object, **__: object) -> probes.Ended:
            return probes.Ended(succeeded=True, log=list(log))

        async def nowhere(*_: object) -> None:
            return None

        async def add(_: str, fact: events.Fact) -> None:
            taken.append(fact)

        monkeypatch.setattr(proving, "ask", ask)
        monkeypatch.setattr(probes, "run_to_end", run)
        monkeypatch.setattr(reading, "get", nowhere)
        space: Any = SimpleNamespace(policy=policy)
        record: Any = SimpleNamespace(add=add, redact=str)
        order = orders.Order(space, plan, "d1", "kim", past=past)
        return taking_back.WaysBack(order, record), step, taken

    return begin


HAD = events.Intended("d1.k", (1, 2, 3))
CLUSTER: Any = None


async def test_who_was_killed_before_the_record_is_told_for_by_the_next_driver(
    driver: Driver,
) -> None:
    ways, step, taken = driver(HAD, now=(1,))  # the Job is gone, and its log
    assert await ways.had(CLUSTER, step) == (1, 2, 3), "as it was recorded, not as it is now"
    await ways.take(CLUSTER, step)
    assert [(fact.version, fact.versions) for fact in taken] == [(1, (3, 2))]
    assert taken[0].names == ("00003_m.sql", "00002_m.sql")


async def test_a_stop_tells_of_what_nobody_lived_to_record(driver: Driver) -> None:
    ways, step, taken = driver(HAD, now=(1,))
    await ways.leave_to_its_end(CLUSTER, step)
    await ways.leave_to_its_end(CLUSTER, step)
    assert [fact.versions for fact in taken] == [(3, 2)], "once"


@pytest.mark.parametrize(
    ("recorded", "now"),
    [
        ((HAD,), (1, 2, 3)),
        ((HAD, TAKEN), (1,)),
        ((events.Intended("d1.k"),), (1,)),
    ],
    ids=["goose had not begun", "it is recorded", "an older hanbae wrote the record"],
)
async def test_a_stop_tells_of_nothing_else(
    driver: Driver, recorded: tuple[events.Fact, ...], now: tuple[int, ...]
) -> None:
    ways, step, taken = driver(*recorded, now=now)
    await ways.leave_to_its_end(CLUSTER, step)
    assert taken == []


async def test_what_has_its_record_is_not_told_twice_and_a_log_always_counts(
    driver: Driver,
) -> None:
    ways, step, taken = driver(HAD, TAKEN, now=(1,))
    await ways.take(CLUSTER, step)
    ways, step, later = driver(HAD, TAKEN, now=(1,), log=(LINE,))  # applied meanwhile, by others
    await ways.take(CLUSTER, step)
    assert [fact.versions for fact in (*taken, *later)] == [(), (3,)]


async def test_a_log_that_went_with_an_evicted_pod_takes_nothing_from_the_record(
    driver: Driver,
) -> None:
    ways, step, taken = driver(now=(1,), log=(LINE,))
    ways._had[step.id] = (1, 2, 3)  # as asked before anything is changed
    await ways.take(CLUSTER, step)
    assert [fact.versions for fact in taken] == [(3, 2)]


@pytest.mark.parametrize(
    ("was_made", "error", "unseen"),
    [
        (True, errors.Forbidden("cluster.forbidden"), {"auth_db"}),
        (True, errors.Unreachable("cluster.unreachable"), {"auth_db"}),
        (True, awaiting.CannotStart("probe.cannot-start"), set()),
        (True, None, set()),
        (False, errors.Forbidden("cluster.forbidden"), set()),
        (False, errors.Refused("probe.foreign-job"), set()),
    ],
    ids=["rights lost", "connection lost", "nothing of it ran", "ended", "no rights", "not made"],
)
async def test_a_database_whose_way_back_nobody_sees_end_is_remembered(
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    was_made: bool,
    error: errors.Error | None,
    unseen: set[str],
) -> None:
    ways, step, _ = driver(now=(1,))
    run = probes.run_to_end

    async def lost(*_: object, begins: Callable[[], None], **__: object) -> probes.Ended:
        if was_made:
            begins()
        if error is not None:
            raise error
        return await run(CLUSTER, {}, deadline=1)

    monkeypatch.setattr(probes, "run_to_end", lost)
    assert ways.unseen == set()
    expected: Any = contextlib.nullcontext() if error is None else pytest.raises(type(error))
    with expected:
        await ways.take(CLUSTER, step)
    assert ways.unseen == unseen
    assert ways.has_begun(step) == was_made


async def test_what_an_earlier_driver_has_not_seen_end_is_unseen_until_goose_has_said(
    driver: Driver,
) -> None:
    ways, step, _ = driver(HAD, now=(1, 2, 3))
    assert ways.unseen == {"auth_db"}
    await ways.leave_to_its_end(CLUSTER, step)
    assert ways.unseen == set()
    ways, _, _ = driver(HAD, TAKEN, now=(1,))
    assert ways.unseen == set()


async def test_a_record_does_not_say_where_a_database_is_that_goose_may_be_taking_back(
    tmp_path: Path, policy: documents.Policy
) -> None:
    with stores.open_store(f"sqlite:///{tmp_path / 'history.db'}") as store:
        store.append("d0", None, events.Opened(PLAN, "kim", HEAD), MOMENT)
        store.append("d0", None, events.Proved("auth_db", 3, 3, ()), MOMENT)
        store.append(
            "d0", None, events.Closed("succeeded", wording.Text("deploy.succeeded")), MOMENT
        )
        store.append("d1", None, events.Opened(PLAN, "kim", OLD), MOMENT)
        store.append("d1", STEP, HAD, MOMENT)
        past = resuming.Past("d1", PLAN, "kim", tuple(store.events("d1")))
        space: Any = SimpleNamespace(policy=policy, store=store, clock=lambda: MOMENT)
        record = recording.Record(
            store, "d1", channels.Channel(), lambda: MOMENT, past=past.recorded
        )
        run = driving._Run(orders.Order(space, PLAN, "d1", "kim", past=past), record)
        await run._look_back()
        (migration,) = store.deployment("d1").migrations
        last = [event.fact for event in store.events("d1")][-1]
    assert migration.version is None
    assert isinstance(last, events.Noted)
    assert (last.text.id, last.text.facts["databases"]) == ("rollback.goose-goes-on", "auth_db")
