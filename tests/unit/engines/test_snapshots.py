"""What of an operation of somebody else's is read once: its objects, and why its containers have failed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import objects

from hanbae.clusters import kinds, logs, reading
from hanbae.engines import snapshots, workloads


@pytest.mark.parametrize("sort", ["initContainerStatuses", "containerStatuses"])
async def test_the_last_lines_of_whatever_container_has_failed_are_read(
    monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    job = objects.job("auth-service-migrate")
    pod = objects.pod("auth-service-migrate-x")
    pod["metadata"]["ownerReferences"] = [
        {"kind": "Job", "name": job["metadata"]["name"], "controller": True}
    ]
    pod["status"][sort] = [objects.terminated(1, name="prepare")]
    live = {"Job": [job], "Pod": [pod]}

    async def find(_: object, kind: kinds.Kind, *__: object, **___: object) -> list[kinds.Object]:
        return live.get(kind.kind, [])

    async def get(*_: object) -> None: ...

    async def tail(*_: object, **__: object) -> list[logs.Line]:
        return [logs.Line("", "no route to host")]

    monkeypatch.setattr(reading, "find", find)
    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(logs, "tail", tail)
    cluster: Any = None
    _, tails = await snapshots.of_operation(
        cluster,
        workloads.Operation(),
        [kinds.ref(job)],
        namespace="services-dev",
        release="auth-service",
        secret="auth-secrets",
    )
    assert tails == {(kinds.ref(pod), "prepare"): ["no route to host"]}
