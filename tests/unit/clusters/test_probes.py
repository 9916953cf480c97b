"""What a probe must have, whoever asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import httpx2
import pytest
from tests.support import objects, quiet_clusters

from hanbae import errors
from hanbae.clusters import answers, awaiting, logs, probes, reading, writing
from hanbae.policy import labels
from hanbae.streams import merging


def job(**pod: Any) -> dict[str, Any]:
    container = {"name": "goose", "image": "example", "args": ["status"]}
    metadata = {"namespace": "dev", "name": "x", "labels": {labels.KEY: "k1"}}
    spec = {"template": {"spec": {"containers": [container], **pod}}}
    return {"metadata": metadata, "spec": spec}


def test_probe_satisfies_restricted_pod_security_and_ends_by_itself() -> None:
    hardened = probes.hardened(job(), deadline=59.2)
    spec = hardened["spec"]
    assert (hardened["apiVersion"], hardened["kind"]) == ("batch/v1", "Job")
    assert spec["backoffLimit"] == 0
    assert spec["activeDeadlineSeconds"] == 60
    assert spec["ttlSecondsAfterFinished"] == probes.TTL
    assert spec["template"]["metadata"]["labels"] == {labels.KEY: "k1"}
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "Ignore", "a pod that was evicted has failed at nothing"
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = pod["containers"][0]["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_what_the_job_says_itself_stays_except_for_the_token() -> None:
    unhardened = job(
        automountServiceAccountToken=True,
        securityContext={"runAsUser": 65532},
        enableServiceLinks=True,
    )
    pod = probes.hardened(unhardened, deadline=5)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["enableServiceLinks"] is True
    assert unhardened["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


def test_probe_without_a_key_is_a_mistake() -> None:
    unhardened = job()
    unhardened["metadata"]["labels"] = {}
    with pytest.raises(ValueError, match=labels.KEY):
        probes.hardened(unhardened, deadline=5)


@pytest.mark.parametrize("cuts", [True, False])
def test_the_end_of_a_long_log_is_kept_of_what_must_not_be_ended(*, cuts: bool) -> None:
    container = {"name": "app", "image": "example.com/app"}
    job = {
        "kind": "Job",
        "metadata": {"namespace": "default", "name": "a", "uid": "1"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    waiter = awaiting.Waiter(cast("Any", None), job, cuts=cuts)
    waiter._last = "pod"
    lines = [str(number) for number in range(awaiting.MOST_LINES + 1)]
    if cuts:
        waiter._take("log", ("pod", "app", lines))
        assert waiter._logs["app"] == lines[1:]
        return
    with pytest.raises(errors.Failed, match="log-too-long"):
        waiter._take("log", ("pod", "app", lines))


async def test_of_pods_that_are_there_already_the_youngest_counts_whatever_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list gives pods by name; the older one was evicted in the middle of what it wrote."""

    async def follow(
        _cluster: Any, _namespace: str, pod: str, _container: str
    ) -> AsyncGenerator[logs.Line]:
        yield logs.Line("", f"from {pod}")

    monkeypatch.setattr(logs, "follow", follow)
    evicted = objects.pod("probe-z", containers=[objects.terminated(137, name="goose")])
    again = objects.pod("probe-a", containers=[objects.terminated(0, name="goose")])
    evicted["metadata"]["creationTimestamp"] = "2026-11-23T00:00:00Z"
    again["metadata"]["creationTimestamp"] = "2026-11-23T00:01:00Z"
    created = probes.hardened(job(), deadline=5)
    created["metadata"]["uid"] = "1"
    waiter = awaiting.Waiter(cast("Any", None), created)
    async with merging.merge() as waiter._merged:
        for pod in (again, evicted):
            waiter._meet(pod)
        while waiter._reading:
            waiter._take(*await anext(waiter._merged))
    assert waiter._logs["goose"] == ["from probe-a"]
    assert waiter._terminated["exitCode"] == 0


@pytest.mark.parametrize("stays", [True, False])
async def test_a_job_that_is_being_deleted_is_waited_for_and_looked_at_once_more(
    monkeypatch: pytest.MonkeyPatch, *, stays: bool
) -> None:
    """Its pod is on a node that has died; or the Job has gone before the watch began."""
    former = objects.job("x", labels={labels.KEY: "k1"})
    former["metadata"]["deletionTimestamp"] = "2026-11-23T00:01:00Z"
    looks = [former, former] if stays else [former]
    created: list[Any] = []

    async def create(_cluster: Any, _kind: Any, job: Any) -> Any:
        if looks:
            raise answers.Exists("cluster.exists")
        created.append(job)
        raise errors.Refused("cluster.refused")

    async def get(*_: Any) -> Any:
        return looks.pop(0)

    cluster = quiet_clusters.quiet(monkeypatch, *([former] if stays else []))
    monkeypatch.setattr(probes, "SLACK", 0.01)
    monkeypatch.setattr(writing, "create", create)
    monkeypatch.setattr(reading, "get", get)
    with pytest.raises(errors.Failed if stays else errors.Refused) as caught:
        await probes.run_to_end(cluster, job(), deadline=5)
    assert caught.value.text.id == ("probe.deadline" if stays else "cluster.refused")
    assert bool(created) != stays


@pytest.mark.parametrize(
    ("refusal", "key", "begun"),
    [
        (answers.Denied("cluster.denied"), None, False),
        (errors.Forbidden("cluster.forbidden"), None, False),
        (answers.Exists("cluster.exists"), "other", False),
        (answers.Exists("cluster.exists"), "k1", True),
        (answers.Unanswered("cluster.unanswered", place=None, status="500"), None, True),
    ],
    ids=["denied", "no rights", "a foreign job", "made before", "the answer is lost"],
)
async def test_who_waits_is_told_when_there_may_be_a_job(
    monkeypatch: pytest.MonkeyPatch, refusal: errors.Error, key: str | None, begun: bool
) -> None:
    async def create(*_: Any) -> Any:
        raise refusal

    async def get(*_: Any) -> Any:
        return objects.job("x", labels={labels.KEY: key}) if key else None

    async def gone(*_: Any, **__: Any) -> Any:
        raise errors.Unreachable("cluster.unreachable")

    monkeypatch.setattr(writing, "create", create)
    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(awaiting.Waiter, "end", gone)
    calls: list[bool] = []
    with pytest.raises(errors.Error):
        await probes.run_to_end(
            cast("Any", None), job(), deadline=5, stays=True, begins=lambda: calls.append(True)
        )
    assert bool(calls) == begun


async def test_a_creation_whose_connection_broke_is_made_again_where_it_has_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The API server restarts in that moment: by the key it is the same Job, whichever creation came to it."""
    call = answers.Call("create", "jobs.batch", "s", "x", "dev", "https://dev.example.com")
    broken = answers.lost(httpx2.RemoteProtocolError("Server disconnected"), call)
    outcomes = [broken, broken, errors.Refused("cluster.refused")]

    async def create(*_: Any) -> Any:
        raise outcomes.pop(0)

    async def get(*_: Any) -> Any:
        return None

    monkeypatch.setattr(writing, "create", create)
    monkeypatch.setattr(reading, "get", get)
    with pytest.raises(errors.Refused):
        await probes.run_to_end(cast("Any", None), job(), deadline=5)
    assert not outcomes


async def test_a_job_that_goes_before_it_is_watched_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between its creation and the watch of it the API server may be away."""
    created = probes.hardened(job(), deadline=5)
    created["metadata"] |= {"uid": "1", "resourceVersion": "7"}
    waiter = awaiting.Waiter(quiet_clusters.quiet(monkeypatch), created)
    with pytest.raises(errors.Failed, match=r"probe\.gone"):
        async with asyncio.timeout(5):
            await waiter.end(5)
