"""What commands that ask several environments say of those that do not answer: which, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hanbae.cli import main

COMMANDS = (["status"], ["hold", "list"], ["doctor"])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("language", "named", "why"),
    [
        ("en", "dev could not be looked at:", "(https://127.0.0.1:1) cannot be reached:"),
        ("ko", "dev 환경을 확인하지 못했습니다:", "(https://127.0.0.1:1)에 연결할 수 없습니다:"),
    ],
)
def test_an_environment_that_does_not_answer_is_named_with_the_reason(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    language: str,
    named: str,
    why: str,
) -> None:
    code = main.run(["--lang", language, "-C", str(shop), *words, "--context", "nobody"])
    lines = capsys.readouterr().err.splitlines()
    assert code == 4
    place = next(index for index, line in enumerate(lines) if named in line)
    assert why in lines[place + 1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_json_says_why_an_environment_could_not_be_looked_at(
    shop: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    arguments = ["-C", str(shop), *words, "--env", "dev", "--context", "nobody"]
    assert main.run([*arguments, "--output", "json"]) == 4
    (entry,) = json.loads(capsys.readouterr().out)["unreached"]
    assert entry["environment"] == "dev"
    assert entry["why"]["id"] == "cluster.unreachable"
    assert entry["why"]["facts"]["server"] == "https://127.0.0.1:1"
