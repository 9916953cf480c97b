"""Which run of a container is followed, where it may have been restarted since somebody looked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import objects

from hanbae.clusters import kinds, logs, reading, rereading
from hanbae.streams import backoffs

SECOND = objects.terminated() | {
    "containerID": "second",
    "lastState": {"terminated": {"containerID": "first"}},
}


class Reader(rereading.Reader):
    """Reads one line, which says of which run it is."""

    async def read(self, *_: Any, **__: Any) -> AsyncGenerator[logs.Line]:
        yield logs.Line("", "first" if self.previous else "second")


@pytest.mark.parametrize(
    ("run", "read"),
    [("", {"second"}), ("second", {"second"}), ("first", {"first"}), ("zeroth", set())],
    ids=["the latest", "the latest by its id", "the one before", "one that is gone"],
)
async def test_the_run_that_is_asked_for_is_followed(
    monkeypatch: pytest.MonkeyPatch, run: str, read: set[str]
) -> None:
    async def get(*_: object) -> kinds.Object:
        return objects.pod("auth-service-migrate-1", containers=[SECOND])

    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(rereading, "Reader", Reader)
    pod = SimpleNamespace(namespace="s", name="auth-service-migrate-1")
    cluster: Any = SimpleNamespace(describe=lambda *_, **__: pod)
    stream = logs.follow(
        cluster, pod.namespace, pod.name, "app", run=run, backoff=backoffs.Backoff(first=0)
    )
    assert {line.text async for line in stream} == read
