"""An operation that is told to end through its Application, and what may happen to that meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from tests.support import applications as samples
from tests.support import quiet_clusters

from hanbae import subjects
from hanbae.clusters import kinds, reading, writing
from hanbae.engines.argocd import application_handles

REF = subjects.Ref("Application", "argocd", "auth-dev")


@pytest.mark.parametrize("phase", ["Running", "Terminating"])
async def test_an_operation_whose_application_goes_before_it_is_watched_has_ended(
    monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """Between the last word to it and the watch of it the API server may be away."""
    application = samples.application(state=samples.state(phase))

    async def get(*_: object) -> kinds.Object:
        return application

    async def replace(*_: object) -> kinds.Object:
        return application

    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(writing, "replace", replace)
    handle = application_handles.Application(quiet_clusters.quiet(monkeypatch), REF)
    async with asyncio.timeout(5):
        assert await handle.terminate(lambda _: True)
