"""What the record says of a database that was taken back, and what is made of it afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hanbae import subjects, wording
from hanbae.cli.text import catalogue, event_lines
from hanbae.deploying import aftermath, claiming, mending
from hanbae.history import stores
from hanbae.results import deployments, events, plans

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
AT = datetime(2026, 11, 29, tzinfo=UTC)


def folded(*facts: events.Fact) -> deployments.Deployment:
    opened = events.Opened(PLAN, "kim", OLD)
    return deployments.fold(
        events.Event("d1", number, AT, None, fact) for number, fact in enumerate([opened, *facts])
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
        store.append("d0", None, events.Opened(PLAN, "kim", HEAD), AT)
        store.append("d0", None, events.Proved("auth_db", 3, 3, ()), AT)
        store.append("d0", None, events.Closed("succeeded", wording.Text("deploy.succeeded")), AT)
        store.append("d1", None, events.Opened(PLAN, "kim", OLD), AT)
        assert aftermath.before(store, PLAN, "d1") == {"auth_db": 3}
        store.append("d1", "take-back-auth_db", TAKEN, AT)
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
