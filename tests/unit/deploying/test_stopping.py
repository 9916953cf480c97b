"""Pods of a migration that have not ended: which of them may still write."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import objects

from hanbae import subjects
from hanbae.actions import stop
from hanbae.clusters import kinds, logs, reading
from hanbae.deploying import stopping
from hanbae.engines import protocol
from hanbae.results import plans

JOB = subjects.Ref("Job", "services-dev", "auth-service-migrate")
PLAN = plans.Plan(1, "auth", "dev", (plans.Step("prove", plans.Prove("auth_db", (1,), JOB, {})),))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}, False),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "X"}}, "lastState": {}}]},
            False,
        ),
        ({"containerStatuses": [{"state": {"running": {}}}]}, True),
        ({"containerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]}, True),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1}},
                    }
                ]
            },
            True,
        ),
        (
            {
                "initContainerStatuses": [{"state": {"running": {}}}],
                "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            True,
        ),
    ],
)
async def test_a_pod_of_which_no_container_ever_ran_has_written_nothing(
    monkeypatch: pytest.MonkeyPatch, status: dict[str, Any], expected: bool
) -> None:
    pod = objects.pod("auth-service-migrate-1") | {"status": {"phase": "Pending", **status}}

    async def find(*_: object, **__: object) -> list[kinds.Object]:
        return [pod]

    monkeypatch.setattr(reading, "find", find)
    cluster: Any = None
    (left,) = await stopping.still_running(cluster, PLAN)
    assert left.ref.name == "auth-service-migrate-1"
    assert left.was_started is expected


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_of_an_operation_that_had_ended_only_pods_that_are_being_deleted_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, is_deleted: bool
) -> None:
    """Others may be of the next operation; one that is deleted may still write for the time that it is given."""
    pod = objects.pod("auth-service-migrate-1", phase="Running")
    if is_deleted:
        pod["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    looks = 0

    async def find(*_: object, **__: object) -> list[kinds.Object]:
        nonlocal looks
        looks += 1
        return [pod] if looks < 3 or not is_deleted else []

    async def ended(_: object) -> bool:
        return False

    async def planned() -> plans.Plan:
        return PLAN

    monkeypatch.setattr(reading, "find", find)
    monkeypatch.setattr(stopping, "LOOK", 0)
    policy = SimpleNamespace(migrations=SimpleNamespace(deadline="10m"))
    occupant = protocol.Occupant("o1", "1" * 40, "mina", False, "", "waiting", {})
    space: Any = SimpleNamespace(policy=policy)
    clusters: Any = SimpleNamespace(workload=None)
    engine: Any = SimpleNamespace(end=ended)
    running = stop.Running(space, clusters, engine, "auth", "dev", deployment="", occupant=occupant)
    monkeypatch.setattr(running, "_plan", planned)
    assert not (await running.end()).ended
    assert looks == (3 if is_deleted else 1)


async def test_the_logs_of_a_migration_are_read_in_the_order_of_its_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = {"containerStatuses": [{"name": "migrate", "state": {"running": {}}}]}
    pods = [objects.pod(name) | {"status": started} for name in ("m-2", "m-1")]
    pods[0]["metadata"]["creationTimestamp"] = "2026-11-23T12:00:02Z"
    pods[1]["metadata"]["creationTimestamp"] = "2026-11-23T12:00:01Z"

    async def find(*_: object, **__: object) -> list[kinds.Object]:
        return pods

    async def tail(_: object, __: str, pod: str, container: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(text=f"{pod} {container}")]

    monkeypatch.setattr(reading, "find", find)
    monkeypatch.setattr(logs, "tail", tail)
    cluster: Any = None
    assert await stopping.log_lines(cluster, JOB) == ("m-1 migrate", "m-2 migrate")


async def test_the_log_of_a_migration_that_was_restarted_begins_with_the_run_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pod = objects.pod("m-1", containers=[objects.running("migrate", restarts=1)])

    async def find(*_: object, **__: object) -> list[kinds.Object]:
        return [pod]

    async def tail(*_: object, previous: bool = False) -> list[SimpleNamespace]:
        return [SimpleNamespace(text="first" if previous else "second")]

    monkeypatch.setattr(reading, "find", find)
    monkeypatch.setattr(logs, "tail", tail)
    cluster: Any = None
    assert await stopping.log_lines(cluster, JOB) == ("first", "second")


def bare_plan(hook: subjects.Ref = JOB) -> plans.Plan:
    """A plan with one migration without a transaction."""
    proof = plans.Prove("auth_db", (1, 2), hook, {}, bare=(2,))
    return plans.Plan(1, "auth", "dev", (plans.Step("prove", proof),))


class Migrating:
    """A workload cluster in which a container of a migration Job runs, for a number of looks.

    Attributes:
        looks: How often its log was read.
    """

    def __init__(self, job: kinds.Object, *, lasts: int) -> None:
        self.job = job
        self.looks = 0
        self._lasts = lasts

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        status = {"name": "migrate", "state": {"running": {}}}
        pod = objects.pod(f"{self.job['metadata']['name']}-1", containers=[status], phase="Running")

        async def get(_: object, __: object, ___: str, name: str) -> kinds.Object | None:
            return self.job if name == self.job["metadata"]["name"] else None

        async def find(_: object, kind: kinds.Kind, *__: object, **___: object) -> Any:
            return [self.job] if kind is kinds.JOB else [pod]

        async def tail(*_: object) -> list[SimpleNamespace]:
            self.looks += 1
            text = (
                "OK   00002_b.sql (1ms)" if self.looks > self._lasts else "OK   00001_a.sql (1ms)"
            )
            return [SimpleNamespace(text=text)]

        monkeypatch.setattr(reading, "get", get)
        monkeypatch.setattr(reading, "find", find)
        monkeypatch.setattr(logs, "tail", tail)
        monkeypatch.setattr(stopping, "LOOK", 0.01)
        return None


def job(name: str = JOB.name, **spec: Any) -> kinds.Object:
    return objects.live(kinds.JOB, name, spec=spec, status={"active": 1})


async def test_a_bare_migration_is_waited_for_as_long_as_its_own_job_may_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migrating = Migrating(job(activeDeadlineSeconds=3600), lasts=9)
    cluster = migrating.install(monkeypatch)
    running = await stopping.bare_running(cluster, bare_plan())
    assert running == (stopping.Bare(JOB, 3600),)
    assert stopping.waited_for(running, deadline=600).facts["seconds"] == "3600"
    await stopping.until_safe(cluster, bare_plan(), deadline=0.03)
    assert migrating.looks == 10


async def test_a_bare_migration_of_a_job_without_a_deadline_is_waited_for_as_the_policy_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migrating = Migrating(job(), lasts=10_000)
    cluster = migrating.install(monkeypatch)
    running = await stopping.bare_running(cluster, bare_plan())
    assert stopping.waited_for(running, deadline=600).facts["seconds"] == "600"
    async with asyncio.timeout(20):
        await stopping.until_safe(cluster, bare_plan(), deadline=0.03)


GENERATED = subjects.Ref("Job", "services-dev", "m-auth-")


async def test_a_bare_migration_is_found_by_the_beginning_of_a_name_that_kubernetes_completes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Migrating(job("m-auth-x7k2p"), lasts=10).install(monkeypatch)
    (bare,) = await stopping.bare_running(cluster, bare_plan(GENERATED))
    assert bare.job.name == "m-auth-x7k2p"
    other = Migrating(job("m-menu-x7k2p"), lasts=10).install(monkeypatch)
    assert await stopping.bare_running(other, bare_plan(GENERATED)) == ()


async def test_pods_of_a_job_whose_name_kubernetes_completes_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label = "batch.kubernetes.io/job-name"
    pods = [
        objects.pod(f"{name}-1", labels={label: name}, phase="Running")
        for name in ("m-auth-x7k2p", "m-menu-b2c3d")
    ]

    async def find(*_: object, label_selector: str) -> list[kinds.Object]:
        assert label_selector == label, "what ends in a hyphen is no value of a label"
        return pods

    monkeypatch.setattr(reading, "find", find)
    cluster: Any = None
    (left,) = await stopping.still_running(cluster, bare_plan(GENERATED))
    assert left.ref.name == "m-auth-x7k2p-1"
