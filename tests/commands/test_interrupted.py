"""A command that is interrupted says so in its JSON document, whatever it was doing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hanbae.actions import rehearse
from hanbae.cli import main


def interrupting(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


async def read(*_: object) -> SimpleNamespace:
    """What a rehearsal goes by, which would need images and databases."""
    return SimpleNamespace(notices=(), databases=())


@pytest.mark.parametrize(
    ("line", "module", "function"),
    [
        ("demo", "hanbae.sandbox.demo", "run"),
        ("doctor", "hanbae.actions.doctor", "doctor"),
        ("local up", "hanbae.actions.run_local", "up"),
        ("migrations rehearse auth", "hanbae.cli.rehearse", "_rehearsed"),
        ("overlay apply dev", "hanbae.actions.overlay", "build"),
        ("rollback auth --env dev", "hanbae.actions.rollback", "plan"),
        ("rollout restart auth --env dev", "hanbae.actions.rollout", "opened"),
        ("status", "hanbae.actions.status", "status"),
        ("stop auth --env dev", "hanbae.actions.stop", "running"),
    ],
)
def test_interrupted_command_writes_the_document_of_an_error(
    line: str,
    module: str,
    function: str,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(rehearse, "read", read)
    monkeypatch.setattr(importlib.import_module(module), function, interrupting)
    assert main.run(["-C", str(shop), *line.split(), "--output", "json"]) == 130
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    assert document["error"]["text"]["id"] == "main.interrupted"


def test_watching_that_is_ended_misses_nothing(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hanbae.cli.status._watch", interrupting)
    assert main.run(["-C", str(shop), "status", "--watch", "--output", "jsonl"]) == 130
    assert capsys.readouterr().out == ""
