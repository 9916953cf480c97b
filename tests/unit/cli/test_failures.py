"""Several refusals at once: each is in the JSON document, and the last word is the command that cures."""

from __future__ import annotations

import json

import click
import pytest

from hanbae import errors, wording
from hanbae.cli import failures, main
from hanbae.cli.text import catalogue
from hanbae.deploying import preflight

FACTS = {"service": "auth", "environment": "dev", "image": "auth:1"}
REASONS = (
    wording.Text("preflight.image-missing", FACTS),
    wording.Text(
        "preflight.image-lacks-migrations",
        FACTS | {"database": "auth_db", "files": "00001_a.sql", "revision": "1" * 12},
    ),
)


def test_every_refusal_is_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.speak("en")
    failures.expected(preflight.KnownToFail(REASONS), ["deploy", "--output", "json"])
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [error["text"]["id"] for error in document["errors"]] == [text.id for text in REASONS]
    assert document["errors"][0] == document["error"]
    assert document["errors"][1]["message"].startswith("auth dev: auth_db: ")
    assert "was built without what the commit" in document["errors"][1]["message"]
    assert shown.err.splitlines()[-1].endswith("hanbae image set auth IMAGE:TAG --env dev")


def test_one_error_is_the_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    failures.expected(errors.Refused("stop.declined"), ["stop", "--output", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document["errors"] == [document["error"]]


def test_document_among_lines_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    failures.expected(errors.Refused("stop.declined"), ["stop", "--output", "jsonl"])
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert document["format"] == 1
    assert document["error"]["text"]["id"] == "stop.declined"


def test_options_before_the_command_that_take_a_word_are_all_of_them() -> None:
    options = (option for option in main.front.params if isinstance(option, click.Option))
    spellings = {name for option in options if not option.is_flag for name in option.opts}
    assert spellings == failures.TAKING_A_WORD


@pytest.mark.parametrize(
    ("line", "variable", "expected"),
    [
        ("check", "HANBAE_CHECK_OUTPUT", "json"),
        ("--lang en check", "HANBAE_CHECK_OUTPUT", "json"),
        ("-C shop --color never check", "HANBAE_CHECK_OUTPUT", "json"),
        ("--directory=shop history list", "HANBAE_HISTORY_LIST_OUTPUT", "json"),
        ("secrets backup verify auth", "HANBAE_SECRETS_BACKUP_VERIFY_OUTPUT", "json"),
        ("check --output text", "HANBAE_CHECK_OUTPUT", "text"),
        ("check -otext", "HANBAE_CHECK_OUTPUT", "text"),
        ("check -o json --output=text", "", "text"),
        ("check -o text -o json", "", "json"),
        ("deploy -o jsonl", "", "jsonl"),
        ("check -- -o json", "", ""),
        ("check -o json -o junit=report.xml", "", "json"),
        ("check -o sarif=report.sarif", "HANBAE_CHECK_OUTPUT", ""),
        ("check", "", ""),
    ],
)
def test_last_output_of_the_line_decides_else_the_variable(
    line: str, variable: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, "json")
    assert failures.output_format(line.split()) == expected


def test_variable_may_name_several_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANBAE_CHECK_OUTPUT", "json sarif=report.sarif")
    assert failures.output_format(["check"]) == "json"
