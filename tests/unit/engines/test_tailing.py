"""Which runs of which containers are read: of a hook's each, of others those that have failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.support import objects

from hanbae.clusters import kinds, logs
from hanbae.engines import protocol, tailing
from hanbae.results import events
from hanbae.streams import channels


class Keeper:
    """Knows no Secret."""

    async def refresh(self) -> None: ...

    def redact(self, text: str) -> str:
        return text


def run(status: dict[str, Any], name: str) -> dict[str, Any]:
    return status | {"containerID": f"containerd://{name}"}


async def test_every_run_of_a_hooks_container_is_followed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container that is restarted in its pod may apply its migrations in the second run."""

    async def follow(*_: object, run: str) -> AsyncGenerator[logs.Line]:
        yield logs.Line("", run)

    monkeypatch.setattr(logs, "follow", follow)
    channel: channels.Channel[protocol.EngineEvent] = channels.Channel()
    cluster: Any = None
    keeper: Any = Keeper()
    lines = tailing.Logs(cluster, keeper, channel)
    statuses = [
        run(objects.running(), "first"),
        run(objects.terminated(1), "first"),
        objects.waiting("CrashLoopBackOff", last=objects.terminated(1)),
        run(objects.running(restarts=1), "second"),
        run(objects.running(restarts=1), "second"),
    ]

    async def read() -> None:
        async with asyncio.TaskGroup() as group:
            for status in statuses:
                pod = objects.pod("auth-service-migrate-1", containers=[status])
                pod["metadata"]["uid"] = "u1"
                lines.read(group, kinds.ref(pod), pod, whole=True)

    async with channel.fed_by(read()) as stream:
        logged = [fact.line async for fact in stream if isinstance(fact, events.Logged)]
    assert logged == ["containerd://first", "containerd://second"]
