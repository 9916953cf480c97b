"""Everything that hanbae can say, it can say in both languages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
from babel.messages.pofile import read_po

import hanbae
from hanbae.cli import main

SOURCE = Path(hanbae.__file__).parent
TEXT_ID = re.compile(r"^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)+$")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
# click's own words that people see most; the rest of its catalogue may stay English.
CLICK = (
    "Usage:",
    "Options",
    "Commands",
    "Show this message and exit.",
    "Error: {message}",
    "No such command {name!r}.",
    "Missing parameter: {param_name}",
    "Try '{command} {option}' for help.",
)


def catalogue(language: str) -> dict[str, str]:
    with (SOURCE / "locale" / language / "LC_MESSAGES" / "hanbae.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}


ENGLISH = catalogue("en")
KOREAN = catalogue("ko")


def used_ids() -> dict[str, str]:
    """Every string in the source that is the first argument of a Text or of an error."""
    makers = re.compile(
        r"(?:^|\.)(?:Text|Error|WrongUse|FileFault|Failed|Refused|Unreachable|Forbidden|Lacking|Stopped)$"
    )
    found: dict[str, str] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (
                isinstance(node, ast.Call) and makers.search(ast.unparse(node.func)) and node.args
            ):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found[first.value] = f"{path.relative_to(SOURCE)}:{node.lineno}"
    return found


USED = used_ids()


@pytest.mark.parametrize("text_id", sorted(USED))
def test_text_is_worded_in_both_languages(text_id: str) -> None:
    where = USED[text_id]
    assert TEXT_ID.match(text_id), f"{where}: not an id"
    assert text_id in ENGLISH, f"{where}: no English"
    assert text_id in KOREAN, f"{where}: no Korean"


@pytest.mark.parametrize("text_id", sorted(ENGLISH))
def test_both_languages_use_the_same_facts(text_id: str) -> None:
    assert text_id in KOREAN
    assert set(PLACEHOLDER.findall(ENGLISH[text_id])) == set(PLACEHOLDER.findall(KOREAN[text_id]))


def walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, click.Command]]:
    found = [(" ".join(path), command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            found += walk(child, (*path, name))
    return found


COMMANDS = walk(main.front, ("hanbae",))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_command_and_each_option_have_help_in_both_languages(
    path: str, command: click.Command
) -> None:
    assert command.help, path
    assert command.help in KOREAN, f"no Korean: {command.help!r}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{path} {parameter.opts}"
            assert parameter.help in KOREAN, f"no Korean: {parameter.help!r}"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_leaf_command_shows_examples(path: str, command: click.Command) -> None:
    if not isinstance(command, click.Group):
        assert command.epilog, f"{path}: no example"
        assert "hanbae" in command.epilog


@pytest.mark.parametrize("msgid", CLICK)
def test_clicks_own_words_are_translated(msgid: str) -> None:
    assert msgid in KOREAN
