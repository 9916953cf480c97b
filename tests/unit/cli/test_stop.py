"""What ``hanbae stop`` shows before it asks."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import subjects, wording
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
        service="auth", environment="dev", deployment="", occupant=occupant, causes=(cause,)
    )
    written = io.StringIO()
    stop.show_running(options.Session(Path(), narration.Narration(stream=written)), running)
    catalogue.speak("en")
    *lines, command = written.getvalue().splitlines()
    assert command == f"  → {' '.join(COMMAND)}"
    assert max(map(wrapping.cells, lines)) <= 80
    assert any(line.startswith("    ") for line in lines)
