"""What ``hanbae deploy --stop-on-interrupt`` shows after Ctrl-C: the end, and nothing a second time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import records

from hanbae import errors, wording
from hanbae.cli import deploy_run, options, undeployed
from hanbae.cli.text import catalogue, narration
from hanbae.deploying import attaching, claiming, preparing, runs
from hanbae.history import stores
from hanbae.results import events

OPENED = records.opened("auth", "dev")
BEGAN = events.Began("k", automated=False, revision="0" * 40)
EVENTS = records.stream([OPENED, BEGAN, events.Closed("stopped", wording.Text("deploy.stopped"))])


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[stores.Store]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with stores.open_store() as opened:
        yield opened


def interrupted(
    monkeypatch: pytest.MonkeyPatch, store: stores.Store, *deployments: str, written: io.StringIO
) -> deploy_run.Run:
    """A run that was interrupted after it has shown the first events of ``d1``."""
    prepared = preparing.Prepared("jiwon", "0" * 40, dict.fromkeys(deployments, OPENED.plan))

    async def prepare(*_: object, **__: object) -> preparing.Prepared:
        return prepared

    @asynccontextmanager
    async def deploying_all(*_: object, **__: object) -> AsyncIterator[AsyncIterator[events.Event]]:
        async def stream() -> AsyncIterator[events.Event]:
            for event in EVENTS[:2]:
                yield event
            raise KeyboardInterrupt

        yield stream()

    monkeypatch.setattr(preparing, "prepare", prepare)
    monkeypatch.setattr(runs, "deploying_all", deploying_all)
    monkeypatch.setattr(undeployed, "warn", lambda *_: None)
    catalogue.speak("en")
    session = options.Session(Path(), narration.Narration(stream=written))
    space: Any = SimpleNamespace(store=store)
    run = deploy_run.Run(session, space, "json", deploy_run.Wishes(("auth",), "dev"))
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run.through())
    return run


def record(store: stores.Store, *deployments: str) -> None:
    """Open deployments in the history."""
    for deployment in deployments:
        store.append(deployment, None, OPENED, records.BEGUN)


def test_what_was_shown_is_not_shown_again_when_it_is_ended(
    monkeypatch: pytest.MonkeyPatch, store: stores.Store
) -> None:
    async def attached(*_: object, **__: object) -> AsyncGenerator[events.Event]:
        for event in EVENTS:
            yield event

    monkeypatch.setattr(attaching, "attached", attached)
    record(store, "d1")
    written = io.StringIO()
    asyncio.run(interrupted(monkeypatch, store, "d1", written=written).stopped())
    lines = written.getvalue().splitlines()
    assert sum("Deploying" in line for line in lines) == 1
    assert sum("sync has begun" in line for line in lines) == 1
    assert sum("Ended by" in line for line in lines) == 1


ENDINGS = [
    pytest.param(
        errors.Unreachable("cluster.unanswered", server="https://a", reason="timed out"),
        True,
        id="silent",
    ),
    pytest.param(claiming.TakenOver("deploy.taken-over", deployment="d1"), True, id="taken over"),
    pytest.param(errors.Refused("stop.ended", deployment="d1"), False, id="ended meanwhile"),
]


@pytest.mark.parametrize(("error", "shown"), ENDINGS)
def test_deployment_that_cannot_be_ended_keeps_no_other_from_it(
    error: errors.Error, shown: bool, monkeypatch: pytest.MonkeyPatch, store: stores.Store
) -> None:
    stopped = []

    async def attached(_: object, deployment: str, **__: object) -> AsyncGenerator[events.Event]:
        stopped.append(deployment)
        if deployment == "d1":
            raise error
        for event in records.stream([OPENED, EVENTS[2].fact], deployment=deployment):
            yield event

    monkeypatch.setattr(attaching, "attached", attached)
    record(store, "d1", "d2")
    written = io.StringIO()
    run = interrupted(monkeypatch, store, "d1", "d2", "waiting", written=written)
    asyncio.run(run.stopped())
    assert stopped == ["d1", "d2"], "the third waited for its place and was never opened"
    assert "Ended by" in written.getvalue()
    assert (catalogue.fault(error) in written.getvalue()) == shown
