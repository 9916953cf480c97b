"""How operations are written and read; the cases are those in which Argo CD's record misleads."""

from __future__ import annotations

from tests.support import applications as samples

from hanbae import subjects
from hanbae.argo import operations

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")


def ran(phase: str = "Succeeded") -> dict[str, object]:
    return samples.result(HOOK.kind, HOOK.name, hook="Sync", phase=phase)


def test_an_operation_is_asked_for_as_argo_cds_own_server_does() -> None:
    before = samples.application(
        automated=False,
        options=["ServerSideApply=true"],
        state=samples.state("Succeeded", of=samples.operation(selected=True)),
    )
    application = operations.asking(
        before, revision=samples.REVISION, key="d1.sync", by="hanbae/jiwon"
    )
    assert application["operation"] == {
        "sync": {
            "revision": samples.REVISION,
            "prune": False,
            "syncStrategy": {"hook": {}},
            "syncOptions": ["ServerSideApply=true"],
        },
        "initiatedBy": {"username": "hanbae/jiwon"},
        "info": [{"name": "hanbae", "value": "d1.sync"}],
        "retry": {"limit": 0},
    }
    # Controllers up to 3.5.2 would merge the new record into the old, selective one.
    assert "operationState" not in application["status"]
    assert application["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert "operationState" in before["status"], "the object that was read is not changed"


def test_prunes_only_where_the_application_says_so() -> None:
    application = operations.asking(
        samples.application(), revision=samples.REVISION, key="k", by="b"
    )
    assert application["operation"]["sync"]["prune"] is True


def test_a_selective_sync_names_group_and_object() -> None:
    sealed = subjects.Ref("SealedSecret", "services-dev", "auth-secrets")
    application = operations.asking(
        samples.application(),
        revision=samples.REVISION,
        key="k",
        by="b",
        only=[("bitnami.com", sealed)],
    )
    (selected,) = application["operation"]["sync"]["resources"]
    assert selected == {
        "group": "bitnami.com",
        "kind": "SealedSecret",
        "namespace": "services-dev",
        "name": "auth-secrets",
    }


def test_what_was_asked_for_is_read_back_as_ones_own() -> None:
    application = operations.asking(
        samples.application(automated=False),
        revision=samples.REVISION,
        key="d1.sync",
        by="hanbae/jiwon",
    )
    active = operations.active(application)
    assert active is not None
    assert (active.key, active.revision, active.full, active.automated) == (
        "d1.sync",
        samples.REVISION,
        True,
        False,
    )


def test_between_two_tries_an_operation_is_still_active_although_it_has_a_finish() -> None:
    state = samples.state("Running", finished="2026-11-23T11:00:09Z", retries=1)
    active = operations.active(samples.application(state=state))
    assert active is not None
    assert active.retries == 1


def test_a_new_request_is_not_mistaken_for_the_record_of_the_one_before() -> None:
    application = samples.application(operation=samples.operation(), state=samples.state("Failed"))
    current = operations.current(application)
    assert current is not None
    assert current.phase == "Requested"


def test_an_operation_has_not_ended_while_its_request_is_still_there() -> None:
    mine = samples.operation(automated=False, key="d1.sync")
    application = samples.application(operation=mine, state=samples.state("Succeeded", of=mine))
    assert operations.active(application) is not None
    assert operations.active(samples.application(state=samples.state("Succeeded", of=mine))) is None


def test_self_heal_is_automated_but_not_full() -> None:
    partial = samples.state("Succeeded", of=samples.operation(selected=True))
    recorded = operations.recorded(samples.application(state=partial))
    assert recorded is not None
    assert recorded.automated
    assert not operations.is_automated(recorded, samples.REVISION)


def test_a_dry_run_a_local_sync_and_one_without_hooks_are_not_full() -> None:
    for part in ({"dryRun": True}, {"manifests": ["{}"]}, {"syncStrategy": {"apply": {}}}):
        operation = samples.operation()
        operation["sync"] |= part
        recorded = operations.recorded(
            samples.application(state=samples.state("Succeeded", of=operation))
        )
        assert recorded is not None
        assert not recorded.full, part


def test_hooks_that_did_not_succeed_are_missing() -> None:
    def missing(*results: dict[str, object]) -> tuple[subjects.Ref, ...]:
        state = samples.state("Succeeded", results=results)
        recorded = operations.recorded(samples.application(state=state))
        assert recorded is not None
        return operations.without(recorded, [HOOK])

    assert missing(ran()) == ()
    assert missing() == (HOOK,)
    assert missing(ran("Failed")) == (HOOK,)
    # An ordinary object of the same name is no hook that ran.
    assert missing(samples.result(HOOK.kind, HOOK.name)) == (HOOK,)
    # A hook of two phases must have succeeded in both.
    assert missing(ran(), ran("Running")) == (HOOK,)


def test_terminating_touches_only_what_runs() -> None:
    running = samples.application(state=samples.state("Running"))
    assert operations.terminating(running)["status"]["operationState"]["phase"] == "Terminating"
    not_begun = samples.application(operation=samples.operation(), state=samples.state("Succeeded"))
    taken_back = operations.terminating(not_begun)
    assert "operation" not in taken_back
    assert taken_back["status"]["operationState"]["phase"] == "Succeeded"
