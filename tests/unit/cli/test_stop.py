"""What ``hanbae stop`` shows before it asks."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import subjects, wording
from hanbae.actions import stop as actions
from hanbae.cli import options, stop
from hanbae.cli.text import catalogue, narration, wrapping
from hanbae.engines import protocol
from hanbae.results import events

POD = subjects.Ref("Pod", "services-dev", "auth-service-migrate-h8nbj")
COMMAND = ("kubectl", "describe", "pod", POD.name, "-n", "services-dev", "--context", "x" * 60)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_causes_are_laid_out_and_commands_stay_whole(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    catalogue.speak(language)
    facts = {"pod": POD.name, "container": "migrate", "image": f"registry.example.com/{'a' * 20}:9"}
    text = wording.Text("diagnosis.image-not-found", facts)
    cause = events.Diagnosed(POD, text, COMMAND, fatal=True)
    occupant = protocol.Occupant("o1", "1" * 40, "mina", False, "", "waiting", {})
    running: Any = SimpleNamespace(
        service="auth",
        environment="dev",
        deployment="",
        occupant=occupant,
        causes=(cause,),
        is_helm=False,
    )
    written = io.StringIO()
    stop.show_running(options.Session(Path(), narration.Narration(stream=written)), running)
    catalogue.speak("en")
    *lines, command = written.getvalue().splitlines()
    assert command == f"  → {' '.join(COMMAND)}"
    assert max(map(wrapping.cells, lines)) <= 80
    assert any(line.startswith("    ") for line in lines)


def running(**fields: Any) -> Any:
    occupant = protocol.Occupant("o1", "1" * 40, "mina", False, "", "waiting", {})
    both = {
        "service": "auth",
        "environment": "dev",
        "deployment": "d1",
        "causes": (),
        "is_helm": False,
    }
    return SimpleNamespace(**{**both, "occupant": occupant, **fields})


def test_a_deployment_is_told_together_with_the_sync_that_it_waits_for() -> None:
    catalogue.speak("en")
    written = io.StringIO()
    stop.show_running(options.Session(Path(), narration.Narration(stream=written)), running())
    (line,) = written.getvalue().splitlines()
    assert "deployment d1 waits for Argo CD's sync of 111111111111 (started by mina)" in line


@pytest.mark.parametrize(("identity", "ended"), [("o1", True), ("o0", False)])
async def test_after_the_deployment_exactly_that_sync_is_ended(
    monkeypatch: pytest.MonkeyPatch, identity: str, ended: bool
) -> None:
    catalogue.speak("en")
    ends: list[str] = []

    async def waits_for() -> None:
        return None

    async def end() -> actions.Stopped:
        ends.append("o1")
        return actions.Stopped("auth", "dev", "1" * 40, "mina", "", ended=True)

    @asynccontextmanager
    async def now(*_: object) -> AsyncIterator[Any]:
        yield running(deployment="", waits_for=waits_for, end=end)

    monkeypatch.setattr(actions, "running", now)
    written = io.StringIO()
    session = options.Session(Path(), narration.Narration(stream=written))
    space: Any = None
    await stop.end_other(session, space, "auth", "dev", identity)
    assert ends == (["o1"] if ended else [])
    assert ("was ended" in written.getvalue()) is ended


@pytest.mark.parametrize(
    ("revision", "expected"), [("2" * 40, True), ("1" * 40, False), ("", False)]
)
def test_a_sync_of_the_same_commit_is_the_deployments_own(revision: str, expected: bool) -> None:
    assert actions.is_anothers(running().occupant, revision) is expected
