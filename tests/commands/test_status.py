"""``hanbae status``: what is shown of environments that answer and of those that do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from hanbae import wording
from hanbae.cli import main, status
from hanbae.cli.text import catalogue, standing_table, wrapping
from hanbae.results import holds, reach, standings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_environments_that_do_not_answer_are_named_and_hide_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main.run(["--lang", "en", "-C", str(shop), "status", "--context", "nobody"])
    shown = capsys.readouterr()
    assert code == 4
    assert shown.out.splitlines()[0].split() == ["Service", "dev", "staging", "production"]
    assert shown.out.splitlines()[2].split() == ["auth", *["unknown"] * 3]
    for environment in ("dev", "staging", "production"):
        assert f"{environment} could not be looked at" in shown.err
    assert "main" in shown.err, "the branch that nobody has pushed"


def test_json_says_why_an_environment_is_unknown(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["status", "--env", "dev", "--context", "nobody", "--output", "json"]
    assert main.run(["-C", str(shop), *words]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    (standing,) = document["standings"]
    assert (standing["service"], standing["state"]) == ("auth", "unknown")
    (unreached,) = document["unreached"]
    assert unreached["environment"] == "dev"
    assert unreached["why"]["id"].startswith("cluster.")


@pytest.mark.parametrize("words", [["nosuch"], ["--env", "nowhere"], ["auth", "--env", "local"]])
def test_what_is_not_there_is_wrong_use(
    shop: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main.run(["-C", str(shop), "status", *words]) == 2
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("since", "age"),
    [
        ("2026-11-27T11:59:00Z", "2d"),
        ("2026-11-29T09:30:00Z", "2h"),
        ("2026-11-29T11:58:01Z", "1m"),
        ("2026-11-29T11:59:59Z", "now"),
        ("2026-11-29T12:00:09Z", "now"),
        ("", ""),
        ("yesterday", ""),
    ],
)
def test_age_is_in_its_largest_unit(since: str, age: str) -> None:
    catalogue.speak("en")
    assert standing_table.age(since, NOW) == age


def matrix() -> standings.Standings:
    """A service in three environments, in the last of which everything is the matter."""
    states: tuple[standings.State, ...] = ("degraded", "unseen", "behind")
    entries = [
        standings.Standing(
            "identity-api",
            name,
            state,
            "a" * 40,
            "b" * 40,
            "2026-10-01T00:00:00Z",
            version="2026.10.1-rc.4",
        )
        for name, state in zip(("dev", "staging", "production"), states, strict=True)
    ]
    entries[2] = structs.replace(
        entries[2], pending=("00002_a.sql", "00003_b.sql"), outcome="failed", gates=("logs-clean",)
    )
    frozen = standings.Frozen("production", "year-end", "Holidays", "2027-01-02 00:00")
    return standings.Standings(tuple(entries), frozen=(frozen,))


def test_a_cell_has_the_version_where_there_is_room_and_what_somebody_has_to_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    catalogue.speak("en")
    heading, _, first, *more = standing_table.table(matrix(), NOW).splitlines()
    assert heading.split("  ")[-1].strip() == "production (frozen)"
    assert first.endswith("2026.10.1-rc.4 aaaaaaa 59d behind")
    assert [line.strip() for line in more] == ["2 migrations", "last: failed", "✘ logs-clean"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"held": (holds.HeldService("identity-api", "dev", ()),)}, ["dev"]),
        ({"frozen": ()}, ["production"]),
        ({"unreached": (reach.Unreached("dev", wording.Text("cluster.failing")),)}, []),
    ],
)
def test_what_changes_between_two_looks_is_told_once(
    change: dict[str, Any], expected: list[str]
) -> None:
    before = matrix()
    after = structs.replace(before, **change)
    assert [entry.environment for entry in standings.changed(before, after)] == expected
    assert not list(standings.changed(after, after))


def test_an_environment_that_is_silent_for_a_while_is_told_of_only_where_it_has_changed() -> None:
    before = matrix()
    unknown = standings.Standing("identity-api", "dev", "unknown")
    silent = structs.replace(
        before,
        standings=(unknown, *before.standings[1:]),
        unreached=(reach.Unreached("dev", wording.Text("cluster.failing")),),
    )
    remembered = standings.remembered(before, silent)
    assert not list(standings.changed(before, silent))
    assert not list(standings.changed(remembered, before))
    other = structs.replace(before.standings[0], state="current")
    back = structs.replace(before, standings=(other, *before.standings[1:]))
    assert list(standings.changed(remembered, back)) == [other]


def test_watching_has_no_json_document(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["-C", str(shop), "status", "--watch", "--output", "json"]) == 2
    assert "jsonl" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_three_environments_fit_on_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    catalogue.speak(language)
    lines = standing_table.table(matrix(), NOW).splitlines()
    catalogue.speak("en")
    assert len(lines) == 7, lines
    assert max(map(wrapping.cells, lines)) <= 80


@pytest.mark.parametrize("columns", [32, 40, 60])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_where_the_table_does_not_fit_each_is_said_in_lines_that_do(
    monkeypatch: pytest.MonkeyPatch, language: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    catalogue.speak(language)
    frozen = catalogue.sentence(wording.Text("status.frozen", {"environment": "production"}))
    shown = standing_table.table(matrix(), NOW)
    catalogue.speak("en")
    lines = shown.splitlines()
    assert max(map(wrapping.cells, lines)) <= columns
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["identity-api"] * 3
    whole = " ".join(shown.split())
    for words in (f"identity-api {frozen}: 2026.10.1-rc.4 aaaaaaa 59", "✘ logs-clean"):
        assert words in whole


@pytest.mark.parametrize("state", ["busy", "degraded"])
def test_what_is_in_trouble_leads_to_the_command_that_names_the_cause(
    state: standings.State,
) -> None:
    catalogue.speak("en")
    *_, command = status._sentences(standings.Standing("auth", "staging", state))
    assert command == "  → hanbae doctor auth --env staging"
