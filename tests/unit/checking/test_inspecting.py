"""What is left of a service that has been looked at: what it said, and nothing of what it was read from."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanbae.actions import init, new_service
from hanbae.charts import pools
from hanbae.checking import inspecting, projects
from hanbae.rules import rulebook, views


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
async def test_releases_go_without_being_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(tmp_path, "auth")
    rendered = projects.service
    releases: list[weakref.ref[views.Release]] = []

    async def service(
        pool: pools.Pool, project: views.Project, name: str
    ) -> projects.RenderedService:
        result = await rendered(pool, project, name)
        releases.extend(map(weakref.ref, result.service.releases.values()))
        return result

    monkeypatch.setattr(projects, "service", service)
    rules = tuple(rulebook.rules().values())
    async with pools.opened(1) as pool:
        inspection = await inspecting.inspect(pool, projects.project(tmp_path), "auth", rules)
    assert inspection.deployed is not None
    assert releases
    assert not [release for release in releases if release() is not None]
