"""When a hook that Helm's engine runs is over, whatever becomes of its Job meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.support import objects

from hanbae import errors, subjects
from hanbae.clusters import kinds, reading, watching
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
COMPLETE = objects.job(HOOK.name, condition="Complete")


async def run(
    monkeypatch: pytest.MonkeyPatch, *versions: watching.Seen, old: tuple[str, ...] = ()
) -> None:
    """Run the hook while the watch tells of these versions, all at once."""
    cluster: Any = None  # nothing is asked of it here
    workload = workloads.Workload(
        cluster,
        "services-dev",
        "auth-service",
        "auth-secrets",
        [HOOK],
        old=old,
    )

    async def begin(*_: object) -> None: ...

    async def get(*_: object) -> kinds.Object:
        return RUNNING

    async def watch(*_: object, **__: object) -> AsyncGenerator[watching.Seen]:
        for version in versions:
            yield version

    monkeypatch.setattr(jobs, "begin", begin)
    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(watching, "watch", watch)
    read: Any = None
    helm = engine.Helm(cluster, cluster, TARGET, read)
    chart = program.Chart("auth-service", "services-dev", {}, ())
    does = plans.Upgrade("auth-service", "a" * 40)
    begun = engine._Begun(does, "d1.sync", "helm", chart, {HOOK: RUNNING}, workload)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(helm._run_hook(begun, HOOK))
        group.create_task(workload._watch(kinds.JOB))


async def test_a_hook_whose_job_is_deleted_as_soon_as_it_is_complete_has_succeeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As ``ttlSecondsAfterFinished: 0`` does."""
    complete = watching.Seen("changed", COMPLETE)
    deleted = watching.Seen("deleted", COMPLETE)
    await run(monkeypatch, complete, deleted)
    await run(monkeypatch, deleted)


async def test_a_hook_whose_job_somebody_takes_away_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await run(monkeypatch, watching.Seen("deleted", RUNNING))
    (error,) = raised.value.exceptions
    assert isinstance(error, errors.Failed)
    assert error.text.id == "upgrade.hook-gone"


async def test_the_end_of_an_earlier_deployments_job_is_not_this_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is taken away before the hook's own is made, and may be told of only then."""
    uid = COMPLETE["metadata"]["uid"]
    later = watching.Seen("deleted", RUNNING)
    with pytest.raises(ExceptionGroup):
        await run(monkeypatch, watching.Seen("deleted", COMPLETE), later, old=(uid,))
