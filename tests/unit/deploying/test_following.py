"""What is noticed although nothing is told."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import objects, polling

from hanbae import subjects, wording
from hanbae.clusters import kinds
from hanbae.deploying import following, joined, recording
from hanbae.history import stores
from hanbae.policy import documents
from hanbae.results import events, plans
from hanbae.streams import channels

POLICY = documents.Policy(
    version=1, argocd=documents.ArgoCD("https://git.example.com/shop.git"), environments={}
)
HISTORY = ("hanbae", "history", "show", "d1")


class Quiet:
    """What of an engine is looked at while its stream says nothing."""

    is_blocked = False
    crashes_before: dict[Any, int] = {}  # noqa: RUF012

    def __init__(self, *objects: kinds.Object) -> None:
        self.objects = {kinds.ref(manifest): manifest for manifest in objects}
        self.looks = 0

    @property
    def awaits(self) -> tuple[()]:
        """Nothing; it is asked for once in each look for causes."""
        self.looks += 1
        return ()


async def silence() -> AsyncGenerator[events.Observed]:
    await asyncio.Event().wait()
    yield events.Observed(kinds.ref(objects.pod("never")), "")


async def test_a_warning_that_is_only_repeated_is_noticed(tmp_path: Path) -> None:
    """The same words again are no news for the stream; that they came three times is what makes them a cause."""
    status = objects.running()
    status["ready"] = False
    pod = objects.pod("auth-1", containers=[status], phase="Running")
    warning = objects.event(pod, "Unhealthy", "Readiness probe failed: 503")
    engine: Any = Quiet(pod, warning)
    channel: channels.Channel[events.Event] = channels.Channel()
    does = plans.Sync("auth-dev", "1" * 40)
    plan = plans.Plan(1, "auth", "dev", (plans.Step("sync", does),))
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channel, lambda: datetime.now(UTC))
        await record.add(None, events.Opened(plan, "jiwon", "1" * 40))
        follows = following.Following(POLICY, plan, record, limit=None)
        task = asyncio.create_task(follows.follow(plan.steps[0], does, engine, silence()))
        await polling.reached(lambda: engine.looks > 1, within=10)
        assert follows.gravest is None
        warning["count"] = 3
        await polling.reached(lambda: follows.gravest is not None, within=10)
        assert follows.gravest is not None
        assert follows.gravest.cause.id == "diagnosis.not-ready"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("status", "ids"),
    [
        ({}, ["diagnosis.operator-silent"]),
        ({"conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced"}]}, []),
    ],
)
async def test_operator_that_comes_to_no_external_secret_is_named_once_all_is_still(
    tmp_path: Path, status: dict[str, Any], ids: list[str]
) -> None:
    external = objects.live(
        kinds.EXTERNALSECRET,
        "auth-secrets",
        metadata={"generation": 1, "creationTimestamp": "2026-11-29T05:00:00Z"},
        spec={"secretStoreRef": {"kind": "ClusterSecretStore", "name": "shop"}},
        status=status,
    )
    engine: Any = Quiet(external)
    policy = msgspec.structs.replace(POLICY, rollout=documents.Rollout(stalled_after="1s"))
    does = plans.Sync("auth-dev", "1" * 40)
    plan = plans.Plan(1, "auth", "dev", (plans.Step("sync", does),))
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channels.Channel(), lambda: datetime.now(UTC))
        await record.add(None, events.Opened(plan, "jiwon", "1" * 40))
        follows = following.Following(policy, plan, record, limit=None)
        task = asyncio.create_task(follows.follow(plan.steps[0], does, engine, silence()))

        def facts(kind: type[Any]) -> list[Any]:
            return [event.fact for event in store.events("d1") if isinstance(event.fact, kind)]

        await polling.reached(lambda: bool(facts(events.Noted)), within=10)
        looks = engine.looks
        await polling.reached(lambda: engine.looks > looks + 1, within=10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [fact.cause.id for fact in facts(events.Diagnosed)] == ids


@pytest.mark.parametrize(
    ("subject", "command", "lasting"),
    [
        # Argo CD deletes a hook's Job and its pods with the sync that is ended.
        ("Job/auth-migrate", ("kubectl", "logs", "job/auth-migrate"), HISTORY),
        ("Pod/auth-7d-x2v8q", ("kubectl", "logs", "auth-7d-x2v8q"), None),
        ("Job/auth-migrate", ("hanbae", "image", "set", "auth", "IMAGE:TAG"), None),
        # What does not go with the sync can be looked at afterwards.
        ("Job/auth-migrate", ("kubectl", "get", "configmap", "auth-settings"), None),
    ],
)
async def test_recorded_commands_are_true_when_the_deployment_has_ended(
    tmp_path: Path, subject: str, command: tuple[str, ...], lasting: tuple[str, ...] | None
) -> None:
    kind, name = subject.split("/")
    ref = subjects.Ref(kind, "services-dev", name)
    diagnosis = events.Diagnosed(ref, wording.Text("diagnosis.job-failed"), command, True)
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channels.Channel(), lambda: datetime.now(UTC))
        follows = following.Following(POLICY, plans.Plan(1, "auth", "dev", ()), record, limit=None)
        assert follows.lasting_command(diagnosis) == (lasting or command)


AUTOMATED = events.Began("1" * 40 + "@2026-11-28T09:30:00Z", automated=True, revision="1" * 40)
HOOK = subjects.Ref("Job", "services-dev", "auth-migrate")
HOOK_POD = subjects.Ref("Pod", "services-dev", "auth-migrate-x2v8q")
LOGGED = events.Logged(HOOK_POD, "migrate", "OK   00004_a.sql (1ms)")


@pytest.mark.parametrize(
    ("earlier", "is_joined"),
    [
        (AUTOMATED, True),
        (events.Began("1" * 40 + "@2026-11-28T09:00:00Z", True, "1" * 40), False),
        (events.Began(AUTOMATED.operation, False, "1" * 40), True),
    ],
)
async def test_sync_that_an_earlier_deployment_has_followed_applies_nothing_anew(
    tmp_path: Path, earlier: events.Began, is_joined: bool
) -> None:
    """Argo CD shows the end of its own sync for as long as there is no newer one."""
    plan = plans.Plan(1, "auth", "dev", ())
    pod = objects.pod(HOOK_POD.name)
    pod["metadata"]["ownerReferences"] = [{"kind": "Job", "name": HOOK.name, "controller": True}]
    engine: Any = Quiet(pod)
    engine.objects = {HOOK_POD: pod}

    async def stream() -> AsyncGenerator[Any]:
        yield AUTOMATED
        yield events.Observed(HOOK_POD, "Running")
        yield LOGGED

    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        for fact in (events.Opened(plan, "j", "1" * 40), earlier, LOGGED):
            store.append("d0", None, fact, datetime.now(UTC))
        record = recording.Record(store, "d1", channels.Channel(), lambda: datetime.now(UTC))
        await record.add(None, events.Opened(plan, "j", "1" * 40))
        follows = following.Following(
            POLICY,
            plan,
            record,
            limit=None,
            joins=functools.partial(joined.before, store, plan, besides="d1"),
        )
        does = plans.Follow("auth-dev", "1" * 40)
        await follows.follow(plans.Step("sync", does), does, engine, stream())
        facts = [event.fact for event in store.events("d1")]
    assert follows.is_joined is is_joined
    notes = [fact.text for fact in facts if isinstance(fact, events.Noted)]
    assert [(note.id, note.facts["deployment"]) for note in notes] == (
        [("deploy.joined", "d0")] if is_joined else []
    )
    assert [fact for fact in facts if isinstance(fact, events.Logged)] == (
        [] if is_joined else [LOGGED]
    )


async def test_versions_of_a_job_whose_name_kubernetes_completes_are_the_plans_hooks(
    tmp_path: Path,
) -> None:
    hook = subjects.Ref("Job", "services-dev", "m-auth-")
    live = objects.live(kinds.JOB, "m-auth-x7k2p")
    pod = objects.pod("m-auth-x7k2p-1", phase="Failed")
    pod["metadata"]["ownerReferences"] = [
        {"kind": "Job", "name": "m-auth-x7k2p", "controller": True}
    ]
    proof = plans.Step("prove", plans.Prove("auth_db", (1, 2), hook, {}))
    sync = plans.Step("sync", plans.Sync("auth-dev", "1" * 40))
    plan = plans.Plan(1, "auth", "dev", (sync, proof))
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channels.Channel(), lambda: datetime.now(UTC))
        await record.add(None, events.Opened(plan, "jiwon", "1" * 40))
        follows = following.Following(POLICY, plan, record, limit=None)
        engine: Any = Quiet(live, pod)
        failed = "goose run: ERROR 00002_b.sql: failed to run SQL migration: x"
        for fact in (
            events.Observed(kinds.ref(pod), "Failed"),
            events.Logged(kinds.ref(pod), "migrate", "OK   00001_a.sql (1ms)"),
            events.Logged(kinds.ref(pod), "migrate", failed),
        ):
            await follows._see(sync, fact, engine)
    assert follows.applied == {hook: {1}}
    assert follows.failed(hook) == follows.failed(kinds.ref(live)) == "00002_b.sql"


FAILED = "goose run: ERROR 00002_b.sql: failed to run SQL migration: x"


@pytest.mark.parametrize(
    ("written", "file"),
    [
        # The attempt of one number that stopped is not made up for by another number's.
        ([("0", FAILED), ("1", "OK   00002_b.sql (1ms)")], "00002_b.sql"),
        ([("1", "OK   00002_b.sql (1ms)"), ("0", FAILED)], "00002_b.sql"),
        ([("0", FAILED), ("0", "OK   00002_b.sql (1ms)")], ""),
        # Nor are several pods of a Job that numbers none of them.
        ([("", FAILED), ("", "OK   00002_b.sql (1ms)")], ""),
    ],
)
async def test_each_number_of_an_indexed_job_has_a_last_attempt(
    tmp_path: Path, written: list[tuple[str, str]], file: str
) -> None:
    pods = []
    for place, (number, _) in enumerate(written):
        labels = {"batch.kubernetes.io/job-completion-index": number} if number else {}
        pods.append(objects.pod(f"{HOOK.name}-{place}", labels=labels))
        owner = {"kind": "Job", "name": HOOK.name, "controller": True}
        pods[-1]["metadata"]["ownerReferences"] = [owner]
    engine: Any = Quiet(*pods)
    step = plans.Step("sync", plans.Sync("auth-dev", "1" * 40))
    plan = plans.Plan(1, "auth", "dev", (step,))
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channels.Channel(), lambda: datetime.now(UTC))
        await record.add(None, events.Opened(plan, "jiwon", "1" * 40))
        follows = following.Following(POLICY, plan, record, limit=None)
        for pod, (_, line) in zip(map(kinds.ref, pods), written, strict=True):
            await follows._see(step, events.Observed(pod, "Running"), engine)
            await follows._see(step, events.Logged(pod, "migrate", line), engine)
    assert follows.failed(HOOK) == file
