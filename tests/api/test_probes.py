"""What a probe does about Jobs and what the cluster says of them; the statuses are those that a node has written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from tests.support import objects

from hanbae import errors
from hanbae.clusters import connections, kinds, probes, reading, watching, writing
from hanbae.policy import labels

Namer = Callable[[str], str]


def job(name: str, *, key: str = "k1") -> kinds.Object:
    container = {"name": "app", "image": "example.com/app", "args": ["status"]}
    metadata = {"namespace": "default", "name": name, "labels": {labels.KEY: key}}
    return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [container]}}}}


async def exists(cluster: connections.Cluster, name: str) -> kinds.Object:
    """The Job, as soon as it is there."""
    stream = watching.watch(cluster, kinds.JOB, "default", field_selector=f"metadata.name={name}")
    async with asyncio.timeout(10):
        change = await anext(stream)
    await stream.aclose()
    return change.object


async def say(cluster: connections.Cluster, kind: kinds.Kind, name: str, status: Any) -> None:
    """Write a status, as controllers and kubelets do."""
    request = cluster.describe("patch", kind, "default", name=name, subresource="status")
    await cluster.ask(
        request,
        "PATCH",
        kind.path("default", name, "status"),
        body={"status": status},
        content_type="application/merge-patch+json",
    )


async def pod_of(cluster: connections.Cluster, owner: kinds.Object, status: Any) -> str:
    """The Job's pod, with a status."""
    name = f"{owner['metadata']['name']}-pod"
    labels = {"batch.kubernetes.io/controller-uid": owner["metadata"]["uid"]}
    metadata = {"namespace": "default", "name": name, "labels": labels}
    spec = owner["spec"]["template"]["spec"]
    await writing.create(cluster, kinds.POD, {"metadata": metadata, "spec": spec})
    await say(cluster, kinds.POD, name, status)
    return name


async def test_job_of_somebody_else_is_refused_and_left_alone(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("probe")
    await writing.create(cluster, kinds.JOB, probes.hardened(job(name, key="other"), deadline=9))
    with pytest.raises(errors.Refused) as caught:
        await probes.run_to_end(cluster, job(name), deadline=1)
    assert caught.value.text.id == "probe.foreign-job"
    assert await reading.get(cluster, kinds.JOB, "default", name) is not None


async def test_job_that_is_never_heard_of_is_given_up_and_deleted(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "SLACK", 0.2)
    name = unique("probe")
    with pytest.raises(errors.Failed) as caught:
        await probes.run_to_end(cluster, job(name), deadline=1)
    assert caught.value.text.id == "probe.deadline"
    assert await reading.get(cluster, kinds.JOB, "default", name) is None


async def test_probe_that_is_broken_off_is_deleted(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("probe")
    task = asyncio.create_task(probes.run_to_end(cluster, job(name), deadline=30))
    await exists(cluster, name)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reading.get(cluster, kinds.JOB, "default", name) is None


async def test_what_writes_is_left_to_its_end_and_found_again(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("probe")
    for _ in range(2):
        task = asyncio.create_task(probes.run_to_end(cluster, job(name), deadline=30, stays=True))
        await exists(cluster, name)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = await reading.get(cluster, kinds.JOB, "default", name)
        assert left is not None
        assert "deletionTimestamp" not in left["metadata"]
    await writing.delete(cluster, kinds.JOB, "default", name)


async def test_what_writes_is_left_to_its_end_by_who_loses_sight_of_it(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch ends for good, and the cluster answers again before the Job would be deleted."""

    async def lost(*_: Any, **__: Any) -> AsyncGenerator[watching.WatchEvent]:
        raise errors.Unreachable("cluster.unreachable")
        yield

    name = unique("probe")
    with monkeypatch.context() as patched:
        patched.setattr(watching, "watch", lost)
        with pytest.raises(errors.Unreachable):
            await probes.run_to_end(cluster, job(name), deadline=30, stays=True)
    left = await reading.get(cluster, kinds.JOB, "default", name)
    assert left is not None
    assert "deletionTimestamp" not in left["metadata"]
    await writing.delete(cluster, kinds.JOB, "default", name)


async def test_probe_that_is_broken_off_before_its_creation_is_answered_is_deleted(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Job is in the cluster, and the answer that says so is still on its way."""
    create = writing.create
    created, answered = asyncio.Event(), asyncio.Event()

    async def late(*args: Any) -> kinds.Object:
        created_job = await create(*args)
        created.set()
        await answered.wait()
        return created_job

    monkeypatch.setattr(writing, "create", late)
    name = unique("probe")
    task = asyncio.create_task(probes.run_to_end(cluster, job(name), deadline=30))
    await created.wait()
    task.cancel()
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reading.get(cluster, kinds.JOB, "default", name) is None


async def test_same_key_finds_the_job_that_was_begun_before(
    cluster: connections.Cluster, unique: Namer
) -> None:
    """Whoever began it was killed; the Job has failed meanwhile, before it had a pod."""
    name = unique("probe")
    existing = await writing.create(cluster, kinds.JOB, probes.hardened(job(name), deadline=30))
    condition = {"status": "True", "reason": "DeadlineExceeded", "message": "was active longer"}
    conditions = [condition | {"type": kind} for kind in ("FailureTarget", "Failed")]
    began = {"startTime": existing["metadata"]["creationTimestamp"]}
    await say(cluster, kinds.JOB, name, began | {"conditions": conditions})
    ended = await probes.run_to_end(cluster, job(name), deadline=30)
    assert (ended.succeeded, ended.reason, ended.log) == (False, "DeadlineExceeded", [])
    assert await reading.get(cluster, kinds.JOB, "default", name) is None


async def test_pod_that_cannot_start_fails_with_the_kubelets_reason(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("probe")
    task = asyncio.create_task(probes.run_to_end(cluster, job(name), deadline=30, grace=0.3))
    existing = await exists(cluster, name)
    status = objects.pod(
        "x",
        containers=[
            objects.waiting("CreateContainerConfigError", message='secret "auth-secrets" not found')
        ],
    )["status"]
    await pod_of(cluster, existing, status)
    with pytest.raises(errors.Failed) as caught:
        await task
    assert caught.value.text.id == "probe.cannot-start"
    assert caught.value.text.facts["reason"] == "CreateContainerConfigError"
    assert caught.value.text.facts["message"] == 'secret "auth-secrets" not found'


async def test_trouble_that_passes_is_borne(cluster: connections.Cluster, unique: Namer) -> None:
    """A pull secret that comes a moment late: the pod is in trouble for less than the grace."""
    name = unique("probe")
    task = asyncio.create_task(probes.run_to_end(cluster, job(name), deadline=30, grace=4))
    existing = await exists(cluster, name)
    trouble = objects.pod("x", containers=[objects.waiting("ErrImagePull")])["status"]
    pod = await pod_of(cluster, existing, trouble)
    await say(cluster, kinds.POD, pod, objects.pod("x", containers=[objects.running()])["status"])
    ended, _ = await asyncio.wait({task}, timeout=5)
    assert not ended
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_pod_that_admission_refuses_is_told_from_the_jobs_event(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("probe")
    task = asyncio.create_task(probes.run_to_end(cluster, job(name), deadline=30, grace=0.3))
    existing = await exists(cluster, name)
    event = objects.event(existing, "FailedCreate", "pods is forbidden: exceeded quota: small")
    for key in ("uid", "resourceVersion", "creationTimestamp"):
        del event["metadata"][key]
    await writing.create(cluster, kinds.EVENT, event)
    with pytest.raises(errors.Failed) as caught:
        await task
    assert caught.value.text.facts["reason"] == "FailedCreate"
    assert "quota" in caught.value.text.facts["message"]
