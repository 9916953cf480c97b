"""Several services in one command: one that fails hides no other, and what is as it was proven can be left out."""

from __future__ import annotations

import json

import pytest
from tests.support import demos, scenes


@pytest.fixture(scope="module")
def several(demo: demos.Demo) -> scenes.Scene:
    """An environment with three services, proven once."""
    scene = scenes.own(demo.sandbox, "several")
    ended = scene.deploy("--concurrency", "2")
    assert ended.code == 0, ended.err
    assert {row["service"] for row in ended.deployments} == set(scene.shop.services)
    return scene


def test_nothing_is_deployed_that_is_as_it_was_proven(several: scenes.Scene) -> None:
    services = sorted(several.shop.services)
    before = {
        service: several.operation(service)["status"]["operationState"] for service in services
    }
    ended = several.deploy("--changed-only")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert document["deployments"] == []
    assert sorted(document["unchanged"]) == services
    for service in services:
        assert several.operation(service)["status"]["operationState"] == before[service]

    several.set_environment("personal", CHANGED="yes")
    several.publish("One service only")
    ended = several.deploy("--changed-only", output="text")
    assert ended.code == 0, ended.err
    assert "personal" in ended.out
    assert "auth" not in ended.out
    assert "left out: auth, identity" in ended.err


def test_a_failed_service_hides_no_other(several: scenes.Scene) -> None:
    several.once("auth")
    folder = several.migrations("auth")
    number = max(int(path.name[:5]) for path in folder.glob("*.sql")) + 1
    broken = f"{number:05d}_broken.sql"
    scenes.write_migrations(folder, {broken: ["ALTER TABLE nowhere ADD COLUMN later text;"]})
    several.build("auth")
    several.publish("A migration that fails")
    ended = several.deploy("--concurrency", "1", output="text")
    assert ended.code == 1, ended.err
    for service in several.shop.services:
        (row,) = [line for line in ended.out.splitlines() if line.startswith(f"{service} ")]
        assert ("failed" if service == "auth" else "succeeded") in row
    *_, command, counts = ended.err.splitlines()
    assert counts == "1 failed · 2 succeeded"
    assert command.startswith("auth several → ")
    verdicts = [line for line in ended.err.splitlines() if line.startswith("auth several ✘ ")]
    assert verdicts[-1] in verdicts[:-1], "the verdict is repeated at the end"
    assert broken in verdicts[-1]
