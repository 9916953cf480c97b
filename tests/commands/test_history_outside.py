"""``hanbae history list --live``: what others have done stands below the list, and is data in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from tests.commands.test_json_documents import schema
from tests.support import records

from hanbae.actions import find_outside
from hanbae.cli import main
from hanbae.cli.text import wrapping
from hanbae.results import outside

SYNCS = (
    outside.Sync("auth", "production", "a" * 40, records.BEGUN, records.BEGUN, "mina"),
    outside.Sync("auth", "dev", "b" * 40, records.BEGUN, records.BEGUN, "", automated=True),
)
EDITS = (outside.Edit("auth", "dev", "kubectl-edit", records.BEGUN, ("source", "syncPolicy")),)


@pytest.fixture
def others(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clusters that remember two syncs and an edit; what they say is tested elsewhere."""

    async def find(*_: object) -> outside.Outside:
        return outside.Outside(SYNCS, EDITS)

    monkeypatch.setattr(find_outside, "find", find)
    return shop


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_others_did_is_told_with_who_and_when(
    others: Path,
    columns: int,
    language: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main.run(["--lang", language, "-C", str(others), "history", "list", "--live"]) == 0
    shown = capsys.readouterr().out
    assert "mina" in shown
    assert "kubectl-edit" in shown
    assert "a" * 12 in shown
    assert "Argo CD" in shown
    assert all(wrapping.cells(line) <= 120 for line in shown.splitlines())


def test_what_programs_read_is_as_its_schema_says(
    others: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-C", str(others), "history", "list", "--output", "json"]
    assert main.run([*words, "--live"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(schema("history-list", capsys), document)
    assert [sync["by"] for sync in document["outside"]["syncs"]] == ["mina", ""]
    assert main.run(words) == 0
    assert "outside" not in json.loads(capsys.readouterr().out)


def test_environments_that_do_not_answer_are_named_and_the_list_is_shown(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--lang", "en", "-C", str(shop), "history", "list", "--live", "--context", "nobody"]
    assert main.run(words) == 4
    shown = capsys.readouterr()
    assert "No deployments are on record here" in shown.err
    for environment in ("dev", "staging", "production"):
        assert f"{environment} could not be looked at" in shown.err
