"""How operations are written and read; the cases are those in which Argo CD's record misleads."""

from __future__ import annotations

from tests.support import applications as made

from hanbae import subjects
from hanbae.argo import operations

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")


def ran(phase: str = "Succeeded") -> dict[str, object]:
    return made.result(HOOK.kind, HOOK.name, hook="Sync", phase=phase)


def test_an_operation_is_asked_for_as_argo_cds_own_server_does() -> None:
    before = made.application(
        automated=False,
        options=["ServerSideApply=true"],
        state=made.state("Succeeded", of=made.asked(selected=True)),
    )
    wanted = operations.asking(before, revision=made.REVISION, key="d1.sync", by="hanbae/jiwon")
    assert wanted["operation"] == {
        "sync": {
            "revision": made.REVISION,
            "prune": False,
            "syncStrategy": {"hook": {}},
            "syncOptions": ["ServerSideApply=true"],
        },
        "initiatedBy": {"username": "hanbae/jiwon"},
        "info": [{"name": "hanbae", "value": "d1.sync"}],
        "retry": {"limit": 0},
    }
    # Controllers up to 3.5.2 would merge the new record into the old, selective one.
    assert "operationState" not in wanted["status"]
    assert wanted["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert "operationState" in before["status"], "the object that was read is not changed"


def test_prunes_only_where_the_application_says_so() -> None:
    wanted = operations.asking(made.application(), revision=made.REVISION, key="k", by="b")
    assert wanted["operation"]["sync"]["prune"] is True


def test_a_selective_sync_names_group_and_object() -> None:
    sealed = subjects.Ref("SealedSecret", "services-dev", "auth-secrets")
    wanted = operations.asking(
        made.application(), revision=made.REVISION, key="k", by="b", only=[("bitnami.com", sealed)]
    )
    (selected,) = wanted["operation"]["sync"]["resources"]
    assert selected == {
        "group": "bitnami.com",
        "kind": "SealedSecret",
        "namespace": "services-dev",
        "name": "auth-secrets",
    }


def test_what_was_asked_for_is_read_back_as_ones_own() -> None:
    wanted = operations.asking(
        made.application(automated=False), revision=made.REVISION, key="d1.sync", by="hanbae/jiwon"
    )
    found = operations.active(wanted)
    assert found is not None
    assert (found.key, found.revision, found.full, found.automated) == (
        "d1.sync",
        made.REVISION,
        True,
        False,
    )


def test_between_two_tries_an_operation_is_still_active_although_it_has_a_finish() -> None:
    state = made.state("Running", finished="2026-11-23T11:00:09Z", retries=1)
    found = operations.active(made.application(state=state))
    assert found is not None
    assert found.retries == 1


def test_a_new_request_is_not_mistaken_for_the_record_of_the_one_before() -> None:
    application = made.application(operation=made.asked(), state=made.state("Failed"))
    found = operations.current(application)
    assert found is not None
    assert found.phase == "Requested"


def test_an_operation_has_not_ended_while_its_request_is_still_there() -> None:
    mine = made.asked(automated=False, key="d1.sync")
    application = made.application(operation=mine, state=made.state("Succeeded", of=mine))
    assert operations.active(application) is not None
    assert operations.active(made.application(state=made.state("Succeeded", of=mine))) is None


def test_self_heal_is_automated_but_not_full() -> None:
    partial = made.state("Succeeded", of=made.asked(selected=True))
    found = operations.recorded(made.application(state=partial))
    assert found is not None
    assert found.automated
    assert not operations.is_automated(found, made.REVISION)


def test_a_dry_run_a_local_sync_and_one_without_hooks_are_not_full() -> None:
    for part in ({"dryRun": True}, {"manifests": ["{}"]}, {"syncStrategy": {"apply": {}}}):
        asked = made.asked()
        asked["sync"] |= part
        found = operations.recorded(made.application(state=made.state("Succeeded", of=asked)))
        assert found is not None
        assert not found.full, part


def test_hooks_that_did_not_succeed_are_missing() -> None:
    def missing(*results: dict[str, object]) -> tuple[subjects.Ref, ...]:
        state = made.state("Succeeded", results=results)
        found = operations.recorded(made.application(state=state))
        assert found is not None
        return operations.without(found, [HOOK])

    assert missing(ran()) == ()
    assert missing() == (HOOK,)
    assert missing(ran("Failed")) == (HOOK,)
    # An ordinary object of the same name is no hook that ran.
    assert missing(made.result(HOOK.kind, HOOK.name)) == (HOOK,)
    # A hook of two phases must have succeeded in both.
    assert missing(ran(), ran("Running")) == (HOOK,)


def test_terminating_touches_only_what_runs() -> None:
    running = made.application(state=made.state("Running"))
    assert operations.terminating(running)["status"]["operationState"]["phase"] == "Terminating"
    not_begun = made.application(operation=made.asked(), state=made.state("Succeeded"))
    taken_back = operations.terminating(not_begun)
    assert "operation" not in taken_back
    assert taken_back["status"]["operationState"]["phase"] == "Succeeded"
