"""``hanbae stop SERVICE``: what it ends of the deployment and of the sync that runs, and what it writes of that."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest
from tests.support import records

from hanbae.actions import stop
from hanbae.cli import json_schemas, main
from hanbae.engines import protocol
from hanbae.history import stores

STOPPED = stop.Stopped("auth", "dev", "1" * 40, "mina", "", ended=True)


def running(monkeypatch: pytest.MonkeyPatch, *deployments: str) -> list[str]:
    """Have a sync of mina's run for auth, and each time that it is looked at a deployment that waits for it.

    Returns:
        Takes the identity of the sync when it is ended.
    """
    ended: list[str] = []
    open_ones = iter(deployments)
    occupant = protocol.Occupant("o1", "1" * 40, "mina", False, "", "waiting", {})

    async def waits_for() -> None:
        return None

    async def end() -> stop.Stopped:
        ended.append(occupant.identity)
        return STOPPED

    @asynccontextmanager
    async def now(*_: object) -> AsyncIterator[Any]:
        yield SimpleNamespace(
            service="auth",
            environment="dev",
            deployment=next(open_ones, ""),
            occupant=occupant,
            causes=(),
            is_helm=False,
            waits_for=waits_for,
            end=end,
        )

    monkeypatch.setattr(stop, "running", now)
    return ended


def run(shop: Path, *words: str) -> int:
    return main.run(["--lang", "en", "-C", str(shop), "stop", *words, "--env", "dev", "--yes"])


@pytest.mark.parametrize(("output", "schema"), [("json", "stop"), ("jsonl", "stopped")])
def test_sync_of_somebody_else_is_written_as_its_schema_says(
    output: str,
    schema: str,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running(monkeypatch)
    assert run(shop, "auth", "--output", output) == 0
    written = capsys.readouterr().out
    assert (len(written.splitlines()) == 1) == (output == "jsonl")
    document = json.loads(written)
    jsonschema_rs.validate(json_schemas.schema(schema), document)
    assert document.get("stopped", document)["by"] == "mina"


def test_sync_is_ended_although_the_deployment_that_waited_for_it_has_ended_meanwhile(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stores.open_store() as store:
        for event in records.stream([records.opened("auth"), records.closed("failed")]):
            store.append(event.deployment, event.step, event.fact, event.at)
    ended = running(monkeypatch, "d1")
    assert run(shop, "auth", "--output", "json") == 1, "it was not stopped: it has failed"
    assert ended == ["o1"]
    (deployment,) = json.loads(capsys.readouterr().out)["deployments"]
    assert deployment["outcome"] == "failed"


def test_deployment_that_has_ended_and_waited_for_nothing_is_refused(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stores.open_store() as store:
        for event in records.stream([records.opened("auth"), records.closed("failed")]):
            store.append(event.deployment, event.step, event.fact, event.at)
    assert run(shop, "d1") == 5
    assert "has ended" in capsys.readouterr().err
