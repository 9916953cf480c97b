"""The Application through Argo CD's API: what is asked, read back and ended. The API's answers are given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.support import applications as samples

from hanbae import errors, masking, subjects
from hanbae.argo import operations
from hanbae.argocd_api import answers, application_calls, connections, settings
from hanbae.engines import protocol
from hanbae.engines.argocd import served
from hanbae.results import plans

REF = subjects.Ref("Application", "argocd", "auth-dev")
KEY = "d1.sync"
SYNC = plans.Sync("auth-dev", samples.REVISION)


class Argo:
    """Argo CD as far as :mod:`hanbae.argocd_api.application_calls` reaches: one Application and what is done to it."""

    def __init__(self, application: dict[str, Any] | None) -> None:
        self.now = application
        self.requests: list[dict[str, Any]] = []
        self.ended = 0
        self.fails: list[errors.Error] = []
        self.resolves = samples.REVISION

    def install(self, monkeypatch: pytest.MonkeyPatch) -> served.Application:
        async def get(*_: object) -> dict[str, Any] | None:
            return self.now

        async def sync(_server: object, _address: object, request: dict[str, Any]) -> Any:
            assert self.now is not None
            self.requests.append(request)
            revision = request.get("revision") or self.resolves
            taken = not self.fails or isinstance(self.fails[0], answers.Unanswered)
            if taken:
                operation = samples.operation(revision=revision, automated=False, key=KEY)
                self.now = {**self.now, "operation": operation}
            if self.fails:
                raise self.fails.pop(0)
            return self.now

        async def terminate(*_: object) -> None:
            self.ended += 1
            assert self.now is not None
            self.now = {key: value for key, value in self.now.items() if key != "operation"}
            self.now["status"]["operationState"]["phase"] = "Failed"

        async def watch(*_: object, **__: object) -> AsyncGenerator[application_calls.WatchEvent]:
            if self.now is not None:
                yield application_calls.WatchEvent("added", self.now)
            begun = operations.requested(self.now or {})
            if self.now is not None and begun is not None:
                state = samples.state("Running", of=self.now["operation"])
                self.now = {**self.now, "status": {**self.now["status"], "operationState": state}}
                yield application_calls.WatchEvent("changed", self.now)
                yield application_calls.WatchEvent("changed", self.now)

        for name, does in {"get": get, "sync": sync, "terminate": terminate}.items():
            monkeypatch.setattr(application_calls, name, does)
        monkeypatch.setattr(application_calls, "watch", watch)
        token = masking.Masked(b"canary")
        settled = settings.Settings("https://argocd.example.com", token, plaintext=False)
        server = connections.Server(None, settled)  # type: ignore[arg-type]
        return served.Application(server, REF, project="services-dev")


def busy() -> answers.Busy:
    return answers.Busy("argocd-api.busy", application="auth-dev", message="-")


async def test_a_manual_application_is_synced_to_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    argo = Argo(samples.application(automated=False))
    answer = await argo.install(monkeypatch).ask(SYNC, KEY, "hanbae/jiwon")
    current = operations.current(answer)
    assert current is not None
    assert current.key == KEY
    (request,) = argo.requests
    assert request["revision"] == samples.REVISION
    assert request["retryStrategy"] == {"limit": 0}
    assert request["infos"] == [{"name": "hanbae", "value": KEY}]
    assert not request["prune"]


async def test_who_asks_again_finds_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    argo = Argo(samples.application(automated=False))
    application = argo.install(monkeypatch)
    await application.ask(SYNC, KEY, "-")
    await application.ask(SYNC, KEY, "-")
    assert len(argo.requests) == 1


async def test_an_answer_that_was_lost_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    argo = Argo(samples.application(automated=False))
    argo.fails = [answers.Unanswered("argocd-api.unanswered")]
    answer = await argo.install(monkeypatch).ask(SYNC, KEY, "-")
    assert "operation" in answer
    assert len(argo.requests) == 1


async def test_somebody_who_was_faster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = samples.state(
        "Running", of=samples.operation(automated=False), message="waiting for hook"
    )
    argo = Argo(samples.application(state=theirs))
    with pytest.raises(errors.Refused) as caught:
        await argo.install(monkeypatch).ask(SYNC, KEY, "-")
    assert caught.value.text.id == "argo.busy"
    assert caught.value.text.facts["by"] == "hanbae/jiwon"
    assert caught.value.text.facts["message"] == "waiting for hook"
    assert argo.requests == []


async def test_a_refusal_of_argo_cds_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another operation may have ended between Argo CD's refusal and the look at whose it was."""
    argo = Argo(samples.application(automated=False))
    argo.fails = [busy()]
    answer = await argo.install(monkeypatch).ask(SYNC, KEY, "-")
    assert "operation" in answer
    assert len(argo.requests) == 2


async def test_a_branch_that_moved_on_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    argo = Argo(samples.application(automated=True))
    argo.resolves = samples.OTHER
    with pytest.raises(protocol.HeadMoved) as caught:
        await argo.install(monkeypatch).ask(SYNC, KEY, "-")
    assert "revision" not in argo.requests[0], "Argo CD syncs automated ones only to their branch"
    assert caught.value.text.facts["revision"] == samples.OTHER
    assert argo.ended == 1
    assert operations.active(argo.now or {}) is None


async def test_only_the_meant_operation_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    argo = Argo(
        samples.application(state=samples.state("Running", of=samples.operation(automated=False)))
    )
    application = argo.install(monkeypatch)
    assert not await application.terminate(lambda operation: operation.key == KEY)
    assert argo.ended == 0


def operating(phase: str) -> dict[str, Any]:
    """An Application whose operation has the key."""
    state = samples.state(phase, of=samples.operation(automated=False, key=KEY))
    return samples.application(state=state)


def ending(argo: Argo, monkeypatch: pytest.MonkeyPatch, *phases: str) -> served.Application:
    """An Application whose operation, with the key, has these phases one after the other."""
    application = argo.install(monkeypatch)
    argo.now = operating(phases[0])

    async def watch(*_: object, **__: object) -> AsyncGenerator[application_calls.WatchEvent]:
        for phase in phases:
            argo.now = operating(phase)
            yield application_calls.WatchEvent("changed", argo.now)

    monkeypatch.setattr(application_calls, "watch", watch)
    return application


async def test_an_operation_that_ends_already_counts_as_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An earlier ``stop`` may have been killed: pods may still write, so nobody may take it for one that had ended."""
    argo = Argo(samples.application())
    application = ending(argo, monkeypatch, "Terminating", "Failed")
    assert await application.terminate(lambda operation: operation.key == KEY)
    assert argo.ended == 0


async def test_an_operation_whose_word_to_end_has_no_answer_counts_as_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unanswered(*_: object) -> None:
        raise answers.Unanswered("argocd-api.unanswered")

    application = ending(Argo(samples.application()), monkeypatch, "Running", "Failed")
    monkeypatch.setattr(application_calls, "terminate", unanswered)
    assert await application.terminate(lambda operation: operation.key == KEY)


async def test_an_operation_that_has_ended_by_itself_was_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def idle(*_: object) -> None:
        raise answers.Idle("argocd-api.unanswered")

    application = ending(Argo(samples.application()), monkeypatch, "Running", "Succeeded")
    monkeypatch.setattr(application_calls, "terminate", idle)
    assert not await application.terminate(lambda operation: operation.key == KEY)


@pytest.mark.parametrize("phase", ["Running", "Terminating"])
async def test_an_operation_whose_application_goes_before_it_is_watched_has_ended(
    monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    watch = application_calls.watch
    application = Argo(None).install(monkeypatch)
    reads = iter([operating(phase)])

    async def get(*_: object) -> dict[str, Any] | None:
        return next(reads, None)

    monkeypatch.setattr(application_calls, "get", get)
    monkeypatch.setattr(application_calls, "watch", watch)
    async with asyncio.timeout(5):
        assert await application.terminate(lambda _: True) == (phase == "Terminating")


async def test_an_application_that_never_appears_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.Refused) as caught:
        await Argo(None).install(monkeypatch).existing(within=0.1)
    assert caught.value.text.id == "argocd-api.no-application"
    assert caught.value.text.facts["project"] == "services-dev"
