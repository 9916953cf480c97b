"""Timelines of an Application, as a watch gives them, and what the deployment makes of each."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import applications as made

from hanbae import errors, subjects
from hanbae.engines import protocol
from hanbae.engines.argocd import steering
from hanbae.results import events, plans

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
APPLICATION = subjects.Ref("Application", "argocd", "auth-dev")
RAN = made.result(HOOK.kind, HOOK.name, hook="Sync")
KEY = "d1.sync"
FOLLOW = plans.Follow("auth-dev", made.REVISION, hooks=(HOOK,))
SYNC = plans.Sync("auth-dev", made.REVISION, hooks=(HOOK,))
MINE = made.asked(automated=False, key=KEY)


def steered(does: plans.Sync | plans.Follow, *, known: str = "") -> steering.Steering:
    return steering.Steering(does, KEY, APPLICATION, previous=known)


def play(steer: steering.Steering, *timeline: dict[str, Any]) -> list[steering.Move]:
    return [move for application in timeline for move in steer.see(application)]


def told(moves: list[steering.Move]) -> list[str]:
    """The moves in short: a Noted's id, ``began`` for a Began, a move's name."""
    found = []
    for move in moves:
        if not isinstance(move, steering.Tell):
            found.append(type(move).__name__)
        elif isinstance(move.fact, events.Noted):
            found.append(move.fact.text.id)
        elif isinstance(move.fact, events.Began):
            found.append("began")
    return found


def test_an_automated_sync_is_followed_to_the_rollout() -> None:
    steer = steered(FOLLOW)
    moves = play(
        steer,
        made.application(sync="OutOfSync", operation=made.asked()),
        made.application(sync="OutOfSync", operation=made.asked(), state=made.state("Running")),
        made.application(state=made.state("Succeeded", results=[RAN])),
    )
    began = [
        m.fact for m in moves if isinstance(m, steering.Tell) and isinstance(m.fact, events.Began)
    ]
    assert began == [events.Began(f"{made.REVISION}@{made.STARTED}", True, made.REVISION)]
    assert steer.stage == "rolling-out"


def test_self_heal_after_the_sync_does_not_disturb() -> None:
    steer = steered(FOLLOW)
    partial = made.asked(selected=True)
    play(
        steer,
        made.application(state=made.state("Running")),
        made.application(state=made.state("Succeeded", results=[RAN])),
        made.application(state=made.state("Running", of=partial, started="2026-11-23T11:00:10Z")),
    )
    assert steer.stage == "rolling-out"
    assert steer.operation is not None
    assert steer.operation.full


def test_a_record_that_was_overwritten_between_two_versions_is_found_in_the_history() -> None:
    steer = steered(FOLLOW)
    entry = {"revision": made.REVISION, "deployStartedAt": made.STARTED}
    partial = made.asked(selected=True)
    play(
        steer,
        made.application(state=made.state("Running", results=[RAN])),
        made.application(
            state=made.state("Running", of=partial, started="2026-11-23T11:00:10Z"),
            history=[entry],
        ),
    )
    assert steer.stage == "rolling-out"


def test_what_automation_does_not_start_is_started_once_and_recognised_by_the_key() -> None:
    steer = steered(FOLLOW)
    moves = play(steer, made.application(version=10))
    assert told(moves) == ["argo.nothing-to-do", "Push"]
    steer.since(made.application(operation=MINE, version=20))
    # Versions from before the write say nothing about it.
    assert play(steer, made.application(version=15)) == []
    moves = play(
        steer,
        made.application(operation=MINE, version=20),
        made.application(operation=MINE, state=made.state("Running", of=MINE), version=21),
        made.application(state=made.state("Succeeded", of=MINE, results=[RAN]), version=22),
    )
    assert told(moves) == ["began"]
    assert steer.stage == "rolling-out"


def test_a_sync_that_ran_without_the_hook_is_pushed_only_by_automation() -> None:
    assert told(play(steered(FOLLOW), made.application(state=made.state("Succeeded")))) == [
        "argo.without-hooks",
        "Push",
    ]
    mine = steered(SYNC)
    with pytest.raises(errors.Failed, match=r"argo\.hooks-missing"):
        play(mine, made.application(state=made.state("Succeeded", of=MINE)))


def test_a_sync_that_ends_without_the_hook_while_it_is_followed_is_pushed() -> None:
    steer = steered(FOLLOW)
    moves = play(
        steer,
        made.application(state=made.state("Running")),
        made.application(state=made.state("Succeeded")),
    )
    assert told(moves) == ["began", "argo.without-hooks", "Push"]


def test_a_failed_operation_fails_the_deployment_with_argo_cds_words() -> None:
    with pytest.raises(errors.Failed, match="one or more") as caught:
        play(
            steered(FOLLOW),
            made.application(state=made.state("Running")),
            made.application(state=made.state("Failed", message="one or more tasks failed")),
        )
    assert caught.value.text.id == "argo.sync-failed"


def test_an_operation_that_is_replaced_before_its_end_was_seen_is_lost_not_succeeded() -> None:
    steer = steered(SYNC)
    play(steer, made.application(state=made.state("Running", of=MINE)))
    other = made.asked(automated=False, key="d2.sync")
    with pytest.raises(errors.Failed, match=r"argo\.operation-lost"):
        play(steer, made.application(state=made.state("Running", of=other)))


def test_another_revision_than_the_wanted_one_is_no_success() -> None:
    steer = steered(SYNC)
    state = made.state("Succeeded", of=MINE, results=[RAN])
    state["syncResult"]["revision"] = made.OTHER
    with pytest.raises(errors.Failed, match=r"argo\.wrong-revision"):
        play(steer, made.application(state=state))


def test_the_revision_before_is_waited_for_and_then_argo_cd_is_asked_again() -> None:
    steer = steered(FOLLOW)
    busy = made.application(state=made.state("Running", of=made.asked(revision=made.OTHER)))
    ended = made.application(
        sync="OutOfSync", state=made.state("Succeeded", of=made.asked(revision=made.OTHER))
    )
    moves = play(steer, busy, busy, ended)
    assert told(moves) == ["argo.other-operation", "Refresh"]


def test_a_failure_from_before_the_deployment_is_not_its_outcome() -> None:
    steer = steered(FOLLOW, known=made.STARTED)
    moves = play(steer, made.application(sync="OutOfSync", state=made.state("Failed")))
    assert told(moves) == ["argo.failed-before", "Push"]


def test_another_head_is_believed_only_after_several_looks() -> None:
    steer = steered(FOLLOW)
    other = made.application(revision=made.OTHER)
    for _ in range(steering.REFRESHES):
        assert told(play(steer, other)) == ["Refresh"]
    with pytest.raises(protocol.HeadMoved):
        play(steer, other)


def test_success_awaits_synced_and_healthy() -> None:
    steer = steered(SYNC)
    done = made.state("Succeeded", of=MINE, results=[RAN])
    play(steer, made.application(state=done, sync="OutOfSync", health="Progressing"))
    assert [text.id for text in steer.awaits()] == ["argo.awaits-synced", "argo.awaits-healthy"]
    play(steer, made.application(state=done))
    assert list(steer.awaits()) == []
    assert list(steer.remarks()) == []


def test_what_may_not_be_pruned_is_told_and_not_waited_for() -> None:
    steer = steered(SYNC)
    left = {
        "kind": "Service",
        "namespace": "a",
        "name": "old",
        "status": "OutOfSync",
        "requiresPruning": True,
    }
    done = made.state("Succeeded", of=MINE, results=[RAN])
    play(steer, made.application(state=done, sync="OutOfSync", resources=[left]))
    assert list(steer.awaits()) == []
    assert told(list(steer.remarks())) == ["argo.not-pruned"]


def test_a_head_that_moved_on_meanwhile_does_not_fail_what_was_deployed() -> None:
    steer = steered(SYNC)
    done = made.state("Succeeded", of=MINE, results=[RAN])
    play(steer, made.application(state=done, sync="OutOfSync", revision=made.OTHER))
    assert list(steer.awaits()) == []
    assert told(list(steer.remarks())) == ["argo.head-moved-on"]


def test_a_selective_sync_needs_no_hooks() -> None:
    sealed = subjects.Ref("SealedSecret", "services-dev", "auth-secrets")
    steer = steered(plans.Sync("auth-dev", made.REVISION, only=(sealed,)))
    only = made.asked(automated=False, key=KEY, selected=True)
    play(steer, made.application(state=made.state("Succeeded", of=only)))
    assert steer.stage == "rolling-out"


def test_resumed_after_another_operation_has_overwritten_the_record() -> None:
    entry = {"revision": made.REVISION, "deployStartedAt": "2026-11-23T11:00:05Z"}
    partial = made.asked(selected=True)
    after = made.application(
        state=made.state("Succeeded", of=partial, started="2026-11-23T11:00:30Z"), history=[entry]
    )
    steer = steering.Steering(FOLLOW, KEY, APPLICATION, previous=made.STARTED, resumed=True)
    assert told(play(steer, after)) == ["argo.ended-unseen"]
    assert steer.stage == "rolling-out"
    fresh = steered(FOLLOW, known=made.STARTED)
    assert "Push" in told(play(fresh, after)), "only who resumes may take the history for its own"


def test_resumed_finds_the_full_sync_that_was_started_by_key_where_automation_did_not() -> None:
    steer = steering.Steering(FOLLOW, KEY, APPLICATION, previous="", resumed=True)
    moves = play(steer, made.application(operation=MINE, state=made.state("Running", of=MINE)))
    assert told(moves) == ["began"]
    assert steer.pushed
