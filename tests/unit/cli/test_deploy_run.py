"""What ``hanbae deploy --stop-on-interrupt`` shows after Ctrl-C: the end, and nothing a second time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import records

from hanbae import wording
from hanbae.cli import deploy_run, options, undeployed
from hanbae.cli.text import catalogue, narration
from hanbae.deploying import attaching, preparing, runs
from hanbae.results import events

OPENED = records.opened("auth", "dev")
BEGAN = events.Began("k", automated=False, revision="0" * 40)
EVENTS = records.stream([OPENED, BEGAN, events.Closed("stopped", wording.Text("deploy.stopped"))])


def test_what_was_shown_is_not_shown_again_when_it_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = preparing.Prepared("jiwon", "0" * 40, {"d1": OPENED.plan})

    async def prepare(*_: object, **__: object) -> preparing.Prepared:
        return prepared

    @asynccontextmanager
    async def deploying_all(*_: object, **__: object) -> AsyncIterator[AsyncIterator[events.Event]]:
        async def stream() -> AsyncIterator[events.Event]:
            for event in EVENTS[:2]:
                yield event
            raise KeyboardInterrupt

        yield stream()

    async def attached(*_: object, **__: object) -> AsyncGenerator[events.Event]:
        for event in EVENTS:
            yield event

    monkeypatch.setattr(preparing, "prepare", prepare)
    monkeypatch.setattr(runs, "deploying_all", deploying_all)
    monkeypatch.setattr(attaching, "attached", attached)
    monkeypatch.setattr(undeployed, "warn", lambda *_: None)
    catalogue.speak("en")
    written = io.StringIO()
    session = options.Session(Path(), narration.Narration(stream=written))
    space: Any = None
    run = deploy_run.Run(session, space, "json", deploy_run.Wishes(("auth",), "dev"))
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run.through())
    asyncio.run(run.stopped())
    lines = written.getvalue().splitlines()
    assert sum("Deploying" in line for line in lines) == 1
    assert sum("sync has begun" in line for line in lines) == 1
    assert sum("Ended by" in line for line in lines) == 1
