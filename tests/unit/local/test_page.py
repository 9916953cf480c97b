"""``docs/local.md`` and its Korean say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from hanbae.cli import local, main
from hanbae.local import components, limits
from hanbae.policy import documents

PAGES = [Path(__file__).parents[3] / "docs" / name for name in ("local.md", "local.ko.md")]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_defaults_are_those_of_the_policy(page: Path) -> None:
    (block,) = blocks(page.read_text(), "yaml")
    settings = YAML(typ="safe").load(block)["local"]
    defaults = msgspec.to_builtins(documents.Local())
    assert settings.pop("environment") == "dev"
    assert defaults.pop("environment") is None
    assert settings == defaults


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_are_there(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page.read_text()
    verbs = set(re.findall(r"hanbae local (\w+)", text))
    assert verbs == set(local.command.commands)
    for verb in verbs:
        assert main.run(["--lang", "en", "local", verb, "--help"]) == 0
    shown = capsys.readouterr().out
    for option in set(re.findall(r"--(?:ask|build|volumes|follow)", text)):
        assert option in shown
    assert {"--ask", "--build", "--volumes"} <= set(re.findall(r"--\w+", text))


def test_pages_have_the_same_parts() -> None:
    shapes = [
        (
            re.findall(r"^#+", text, re.MULTILINE),
            len(re.findall(r"^\| ", text, re.MULTILINE)),
            len(re.findall(r"^- ", text, re.MULTILINE)),
            # Comments are in the page's language.
            [re.sub(r" +# .*", "", block) for block in blocks(text, "sh")],
            blocks(text, "yaml"),
        )
        for text in (page.read_text() for page in PAGES)
    ]
    assert shapes[0] == shapes[1]


def test_amounts_and_versions_are_right() -> None:
    assert limits.written(limits.memory("128M") or 0) == "128000000b"
    assert components.major(documents.Local().postgresql) == 18
