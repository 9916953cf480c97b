"""``hanbae status``: what is shown of environments that answer and of those that do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hanbae.cli import main, status
from hanbae.cli.text import catalogue, wrapping
from hanbae.results import standings

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
    assert status._age(since, NOW) == age


@pytest.mark.parametrize("language", ["en", "ko"])
def test_three_environments_fit_on_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    catalogue.speak(language)
    states: tuple[standings.State, ...] = ("degraded", "unseen", "behind")
    listed = standings.Standings(
        tuple(
            standings.Standing(
                "identity-api", name, state, "a" * 40, "b" * 40, "2026-10-01T00:00:00Z"
            )
            for name, state in zip(("dev", "staging", "production"), states, strict=True)
        )
    )
    lines = status._table(listed, NOW).splitlines()
    catalogue.speak("en")
    assert len(lines) == 3, lines
    assert max(map(wrapping.cells, lines)) <= 80


@pytest.mark.parametrize("state", ["busy", "degraded"])
def test_what_is_in_trouble_leads_to_the_command_that_names_the_cause(
    state: standings.State,
) -> None:
    catalogue.speak("en")
    *_, command = status._sentences(standings.Standing("auth", "staging", state))
    assert command == "  → hanbae doctor auth --env staging"
