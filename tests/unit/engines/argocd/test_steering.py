"""Timelines of an Application, as a watch gives them, and what the deployment makes of each."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import applications as samples

from hanbae import errors, subjects
from hanbae.engines import protocol
from hanbae.engines.argocd import steering
from hanbae.results import events, plans

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
APPLICATION = subjects.Ref("Application", "argocd", "auth-dev")
RAN = samples.result(HOOK.kind, HOOK.name, hook="Sync")
KEY = "d1.sync"
FOLLOW = plans.Follow("auth-dev", samples.REVISION, hooks=(HOOK,))
SYNC = plans.Sync("auth-dev", samples.REVISION, hooks=(HOOK,))
MINE = samples.operation(automated=False, key=KEY)


def steered(does: plans.Sync | plans.Follow, *, previous: str = "") -> steering.Steering:
    return steering.Steering(does, KEY, APPLICATION, previous=previous)


def play(steer: steering.Steering, *timeline: dict[str, Any]) -> list[steering.Move]:
    return [move for application in timeline for move in steer.see(application)]


def names(moves: list[steering.Move]) -> list[str]:
    """The moves in short: a Noted's id, ``began`` for a Began, a move's name."""
    named = []
    for move in moves:
        if not isinstance(move, steering.Tell):
            named.append(type(move).__name__)
        elif isinstance(move.fact, events.Noted):
            named.append(move.fact.text.id)
        elif isinstance(move.fact, events.Began):
            named.append("began")
    return named


def test_an_automated_sync_is_followed_to_the_rollout() -> None:
    steer = steered(FOLLOW)
    moves = play(
        steer,
        samples.application(sync="OutOfSync", operation=samples.operation()),
        samples.application(
            sync="OutOfSync", operation=samples.operation(), state=samples.state("Running")
        ),
        samples.application(state=samples.state("Succeeded", results=[RAN])),
    )
    began = [
        m.fact for m in moves if isinstance(m, steering.Tell) and isinstance(m.fact, events.Began)
    ]
    identity = f"{samples.REVISION}@{samples.STARTED}"
    assert began == [events.Began(identity, True, samples.REVISION, prunes=True)]
    assert steer.stage == "rolling-out"


def test_what_an_operation_is_carried_out_with_is_read_from_its_own_record() -> None:
    operation = samples.operation(automated=False, key=KEY)
    operation["sync"] |= {"prune": False, "syncOptions": ["ServerSideApply=true", "PruneLast=true"]}
    # What the Application says now is not what its operation was begun with.
    shown = samples.application(
        automated=False,
        options=["ServerSideApply=false"],
        operation=operation,
        state=samples.state("Running", of=operation),
    )
    (began,) = (
        move.fact
        for move in play(steered(SYNC), shown)
        if isinstance(move, steering.Tell) and isinstance(move.fact, events.Began)
    )
    assert (began.options, began.prunes) == (("ServerSideApply=true", "PruneLast=true"), False)


def test_self_heal_after_the_sync_does_not_disturb() -> None:
    steer = steered(FOLLOW)
    partial = samples.operation(selected=True)
    play(
        steer,
        samples.application(state=samples.state("Running")),
        samples.application(state=samples.state("Succeeded", results=[RAN])),
        samples.application(
            state=samples.state("Running", of=partial, started="2026-11-23T11:00:10Z")
        ),
    )
    assert steer.stage == "rolling-out"
    assert steer.operation is not None
    assert steer.operation.full


def test_a_record_that_was_overwritten_between_two_versions_is_found_in_the_history() -> None:
    steer = steered(FOLLOW)
    entry = {"revision": samples.REVISION, "deployStartedAt": samples.STARTED}
    partial = samples.operation(selected=True)
    play(
        steer,
        samples.application(state=samples.state("Running", results=[RAN])),
        samples.application(
            state=samples.state("Running", of=partial, started="2026-11-23T11:00:10Z"),
            history=[entry],
        ),
    )
    assert steer.stage == "rolling-out"


def test_what_automation_does_not_start_is_started_once_and_recognised_by_the_key() -> None:
    steer = steered(FOLLOW)
    moves = play(steer, samples.application(version=10))
    assert names(moves) == ["argo.nothing-to-do", "Push"]
    steer.since(samples.application(operation=MINE, version=20))
    # Versions from before the write say nothing about it.
    assert play(steer, samples.application(version=15)) == []
    moves = play(
        steer,
        samples.application(operation=MINE, version=20),
        samples.application(operation=MINE, state=samples.state("Running", of=MINE), version=21),
        samples.application(state=samples.state("Succeeded", of=MINE, results=[RAN]), version=22),
    )
    assert names(moves) == ["began"]
    assert steer.stage == "rolling-out"


def test_a_sync_that_ran_without_the_hook_is_pushed_only_by_automation() -> None:
    assert names(play(steered(FOLLOW), samples.application(state=samples.state("Succeeded")))) == [
        "argo.without-hooks",
        "Push",
    ]
    mine = steered(SYNC)
    with pytest.raises(errors.Failed, match=r"argo\.hooks-missing"):
        play(mine, samples.application(state=samples.state("Succeeded", of=MINE)))


def test_a_sync_that_ends_without_the_hook_while_it_is_followed_is_pushed() -> None:
    steer = steered(FOLLOW)
    moves = play(
        steer,
        samples.application(state=samples.state("Running")),
        samples.application(state=samples.state("Succeeded")),
    )
    assert names(moves) == ["began", "argo.without-hooks", "Push"]


def test_a_failed_operation_fails_the_deployment_with_argo_cds_words() -> None:
    with pytest.raises(errors.Failed, match="one or more") as caught:
        play(
            steered(FOLLOW),
            samples.application(state=samples.state("Running")),
            samples.application(state=samples.state("Failed", message="one or more tasks failed")),
        )
    assert caught.value.text.id == "argo.sync-failed"


def test_an_operation_that_is_replaced_before_its_end_was_seen_is_lost_not_succeeded() -> None:
    steer = steered(SYNC)
    play(steer, samples.application(state=samples.state("Running", of=MINE)))
    other = samples.operation(automated=False, key="d2.sync")
    with pytest.raises(errors.Failed, match=r"argo\.operation-lost"):
        play(steer, samples.application(state=samples.state("Running", of=other)))


def test_another_revision_than_the_wanted_one_is_no_success() -> None:
    steer = steered(SYNC)
    state = samples.state("Succeeded", of=MINE, results=[RAN])
    state["syncResult"]["revision"] = samples.OTHER
    with pytest.raises(errors.Failed, match=r"argo\.wrong-revision"):
        play(steer, samples.application(state=state))


def test_the_revision_before_is_waited_for_and_then_argo_cd_is_asked_again() -> None:
    steer = steered(FOLLOW)
    busy = samples.application(
        state=samples.state("Running", of=samples.operation(revision=samples.OTHER))
    )
    ended = samples.application(
        sync="OutOfSync",
        state=samples.state("Succeeded", of=samples.operation(revision=samples.OTHER)),
    )
    moves = play(steer, busy, busy, ended)
    assert names(moves) == ["argo.other-operation", "Refresh"]


def test_a_failure_from_before_the_deployment_is_not_its_outcome() -> None:
    steer = steered(FOLLOW, previous=samples.STARTED)
    moves = play(steer, samples.application(sync="OutOfSync", state=samples.state("Failed")))
    assert names(moves) == ["argo.failed-before", "Push"]


def test_another_head_is_believed_only_after_several_looks() -> None:
    steer = steered(FOLLOW)
    other = samples.application(revision=samples.OTHER)
    for _ in range(steering.REFRESHES):
        assert names(play(steer, other)) == ["Refresh"]
    with pytest.raises(protocol.HeadMoved):
        play(steer, other)


def test_success_awaits_synced_and_healthy() -> None:
    steer = steered(SYNC)
    ended = samples.state("Succeeded", of=MINE, results=[RAN])
    play(steer, samples.application(state=ended, sync="OutOfSync", health="Progressing"))
    assert [text.id for text in steer.awaits()] == ["argo.awaits-synced", "argo.awaits-healthy"]
    play(steer, samples.application(state=ended))
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
    ended = samples.state("Succeeded", of=MINE, results=[RAN])
    play(steer, samples.application(state=ended, sync="OutOfSync", resources=[left]))
    assert list(steer.awaits()) == []
    assert names(list(steer.remarks())) == ["argo.not-pruned"]


def test_a_head_that_moved_on_meanwhile_does_not_fail_what_was_deployed() -> None:
    steer = steered(SYNC)
    ended = samples.state("Succeeded", of=MINE, results=[RAN])
    play(steer, samples.application(state=ended, sync="OutOfSync", revision=samples.OTHER))
    assert list(steer.awaits()) == []
    assert names(list(steer.remarks())) == ["argo.head-moved-on"]


def test_a_selective_sync_needs_no_hooks() -> None:
    sealed = subjects.Ref("SealedSecret", "services-dev", "auth-secrets")
    steer = steered(plans.Sync("auth-dev", samples.REVISION, only=(sealed,)))
    only = samples.operation(automated=False, key=KEY, selected=True)
    play(steer, samples.application(state=samples.state("Succeeded", of=only)))
    assert steer.stage == "rolling-out"


def test_resumed_after_another_operation_has_overwritten_the_record() -> None:
    entry = {"revision": samples.REVISION, "deployStartedAt": "2026-11-23T11:00:05Z"}
    partial = samples.operation(selected=True)
    after = samples.application(
        state=samples.state("Succeeded", of=partial, started="2026-11-23T11:00:30Z"),
        history=[entry],
    )
    steer = steering.Steering(FOLLOW, KEY, APPLICATION, previous=samples.STARTED, resumed=True)
    assert names(play(steer, after)) == ["argo.ended-unseen"]
    assert steer.stage == "rolling-out"
    fresh = steered(FOLLOW, previous=samples.STARTED)
    assert "Push" in names(play(fresh, after)), "only who resumes may take the history for its own"


def test_resumed_finds_the_full_sync_that_was_started_by_key_where_automation_did_not() -> None:
    steer = steering.Steering(FOLLOW, KEY, APPLICATION, previous="", resumed=True)
    moves = play(
        steer, samples.application(operation=MINE, state=samples.state("Running", of=MINE))
    )
    assert names(moves) == ["began"]
    assert steer.pushed
