"""When a hook that Helm's engine runs is over, whatever becomes of its Job meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from tests.support import objects

from hanbae import errors, subjects
from hanbae.clusters import answers, kinds, reading, watching, writing
from hanbae.engines import workloads
from hanbae.engines.helm import engine, jobs, program
from hanbae.results import plans

TARGET = engine.Target(
    "services-dev",
    "auth-service",
    "auth-secrets",
    subjects.Ref("Application", "argocd", "auth-dev"),
)
HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
RUNNING = objects.job(HOOK.name)
COMPLETE = RUNNING | {"status": objects.job(HOOK.name, condition="Complete")["status"]}
FORMER = objects.job(HOOK.name, condition="Complete")
"""Of the same name; it was taken away before the hook's own was made."""


def helm(does: plans.Upgrade, workload: workloads.Workload) -> tuple[engine.Helm, engine._Begun]:
    """An engine of which nothing is asked of a cluster, and what it has begun."""
    cluster: Any = None
    read: Any = None
    chart = program.Chart("auth-service", "services-dev", {}, ())
    begun = engine._Begun(does, "d1.sync", "helm", chart, {HOOK: RUNNING}, workload)
    return engine.Helm(cluster, cluster, TARGET, read), begun


async def run(
    monkeypatch: pytest.MonkeyPatch,
    *versions: watching.WatchEvent,
    old: tuple[str, ...] = (),
    pause: float | None = None,
) -> None:
    """Run the hook while the watch tells of these versions, all at once or with a pause after each."""
    cluster: Any = None  # nothing is asked of it here
    workload = workloads.Workload(
        cluster,
        "services-dev",
        "auth-service",
        "auth-secrets",
        [HOOK],
        old=old,
    )

    async def begin(*_: object) -> kinds.Object:
        return RUNNING

    async def get(*_: object) -> kinds.Object:
        return RUNNING

    async def watch(*_: object, **__: object) -> AsyncGenerator[watching.WatchEvent]:
        for version in versions:
            yield version
            if pause is not None:
                await asyncio.sleep(pause)

    monkeypatch.setattr(jobs, "begin", begin)
    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(watching, "watch", watch)
    deploys, begun = helm(plans.Upgrade("auth-service", "a" * 40), workload)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(deploys._run_hook(begun, HOOK, 1))
        group.create_task(workload._watch(kinds.JOB))


async def test_a_hook_whose_job_is_deleted_as_soon_as_it_is_complete_has_succeeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As ``ttlSecondsAfterFinished: 0`` does."""
    complete = watching.WatchEvent("changed", COMPLETE)
    deleted = watching.WatchEvent("deleted", COMPLETE)
    await run(monkeypatch, complete, deleted)
    await run(monkeypatch, deleted)


async def test_a_hook_whose_job_somebody_takes_away_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await run(monkeypatch, watching.WatchEvent("deleted", RUNNING))
    (error,) = raised.value.exceptions
    assert isinstance(error, errors.Failed)
    assert error.text.id == "upgrade.hook-gone"


@pytest.mark.parametrize("old", [(), (FORMER["metadata"]["uid"],)], ids=["own", "another's"])
async def test_the_end_of_an_earlier_job_is_not_this_ones(
    monkeypatch: pytest.MonkeyPatch, old: tuple[str, ...]
) -> None:
    """It is taken away before the hook's own is made, and may be told of only then."""
    later = watching.WatchEvent("deleted", RUNNING)
    with pytest.raises(ExceptionGroup):
        await run(monkeypatch, watching.WatchEvent("deleted", FORMER), later, old=old)


async def test_a_hook_is_not_gone_because_an_earlier_job_of_its_name_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = watching.WatchEvent("deleted", FORMER), watching.WatchEvent("changed", COMPLETE)
    await run(monkeypatch, *versions, pause=0.01)


class Cluster:
    """Jobs by name, which end when the test says so."""

    def __init__(self) -> None:
        self.job: kinds.Object | None = None
        self.creations = 0

    async def get(self, *_: object) -> kinds.Object | None:
        return self.job

    async def create(self, _: object, __: object, created: kinds.Object) -> kinds.Object:
        self.creations += 1
        metadata = created["metadata"] | {"uid": f"u{self.creations}"}
        self.job = created | {"metadata": metadata, "status": {}}
        return self.job

    async def delete(self, *_: object, uid: str) -> bool:
        assert self.job is not None
        assert self.job["metadata"]["uid"] == uid
        self.job = None
        return True

    def end(self, condition: str = "Complete") -> None:
        assert self.job is not None
        self.job["status"] = {"conditions": [{"type": condition, "status": "True"}]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr(reading, "get", cluster.get)
    monkeypatch.setattr(writing, "create", cluster.create)
    monkeypatch.setattr(writing, "delete", cluster.delete)
    monkeypatch.setattr(jobs, "LOOK", 0.001)
    return cluster


async def begin(cluster: Any, number: int, *, key: str = "d1.sync") -> str | None:
    """The uid of the Job of a run; None where a later one is there."""
    job = jobs.marked(
        RUNNING, namespace="services-dev", release="auth-service", key=key, run=number
    )
    async with asyncio.timeout(20):
        created = await jobs.begin(cluster, job)
    return created["metadata"]["uid"] if created is not None else None


async def test_each_run_of_a_hook_has_a_job_of_its_own_which_is_found_again(
    cluster: Cluster,
) -> None:
    assert await begin(cluster, 1) == "u1"
    assert await begin(cluster, 1) == "u1", "as after a crash"
    cluster.end()
    assert await begin(cluster, 2) == "u2"
    assert await begin(cluster, 1) is None, "gone on with, the first run is over"
    assert await begin(cluster, 2) == "u2"
    cluster.end()
    assert await begin(cluster, 1, key="d2.sync") == "u3", "another deployment begins anew"


@pytest.mark.parametrize("has_come", ["at once", "never", "late"])
async def test_a_hook_whose_creation_was_not_answered_is_made_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, has_come: str
) -> None:
    """The API server restarts in that moment: the creation has come to it, or has not, or comes before the next one."""
    call = answers.Call("create", "jobs.batch", "s", HOOK.name, "dev", "https://dev.example.com")
    breaks = [httpx2.RemoteProtocolError("Server disconnected")]
    late: list[tuple[Any, ...]] = []

    async def create(*arguments: Any) -> kinds.Object:
        if late:
            await cluster.create(*late.pop())
            raise answers.Exists("cluster.exists")
        if not breaks or has_come == "at once":
            created = await cluster.create(*arguments)
        if breaks:
            if has_come == "late":
                late.append(arguments)
            raise answers.lost(breaks.pop(), call)
        return created

    monkeypatch.setattr(writing, "create", create)
    assert await begin(cluster, 1) == "u1"
    assert cluster.creations == 1


async def test_the_job_of_a_hook_is_the_releases_whatever_its_chart_calls_it() -> None:
    manifest = objects.job("x", labels={"app.kubernetes.io/instance": "other"})
    job = jobs.marked(manifest, namespace="services-dev", release="auth-service", key="d1.sync")
    assert job["metadata"]["annotations"] == {
        "meta.helm.sh/release-name": "auth-service",
        "meta.helm.sh/release-namespace": "services-dev",
    }


async def test_a_hook_of_two_phases_runs_before_the_release_and_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[object] = []
    workload: Any = None
    deploys, begun = helm(plans.Upgrade("auth-service", "a" * 40, (), (HOOK,), (HOOK,)), workload)

    async def hook(_: object, ref: subjects.Ref, number: int) -> None:
        steps.append((ref.name, number))

    def step(name: str) -> None:
        async def noted(*_: object) -> None:
            steps.append(name)

        monkeypatch.setattr(deploys, name, noted)

    monkeypatch.setattr(deploys, "_run_hook", hook)
    for name in ("_bring_first", "_install", "_roll_out"):
        step(name)
    await deploys._deploy(begun)
    assert steps == ["_bring_first", (HOOK.name, 1), "_install", "_roll_out", (HOOK.name, 2)]
