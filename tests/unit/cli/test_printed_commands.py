"""Each command of hanbae that a text prints is one that hanbae takes as it stands, once its names are filled in."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from tests.support import printed_commands

import hanbae

SOURCE = Path(hanbae.__file__).parent
#: Facts that are no names; FILE is one that is there.
FACTS = {"flag": "", "file": __file__}
#: Where only the beginning of commands stands, with what is put behind it.
BEGUN = {"cli/status.py": " X --env X"}


def filled(text: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: FACTS.get(match[1], "X"), text)


def sentences(language: str) -> dict[str, str]:
    """The texts with an id: helps only name commands."""
    with (SOURCE / "locale" / language / "LC_MESSAGES" / "hanbae.po").open("rb") as file:
        return {
            message.id: str(message.string)
            for message in read_po(file, locale=language)
            if isinstance(message.id, str) and re.match(r"[a-z]+\.[a-z0-9-]+$", message.id)
        }


@pytest.mark.parametrize("language", ["en", "ko"])
def test_commands_in_sentences_are_complete(language: str) -> None:
    printed = [
        (text_id, command)
        for text_id, text in sentences(language).items()
        for command in printed_commands.within(filled(text))
    ]
    assert len(printed) > 100
    wrong = {
        (text_id, command): fault
        for text_id, command in printed
        if (fault := printed_commands.fault(command))
    }
    assert not wrong


def test_both_languages_print_the_same_commands() -> None:
    english, korean = sentences("en"), sentences("ko")
    differing = {
        text_id: (ours, theirs)
        for text_id, text in english.items()
        if (ours := sorted(printed_commands.within(filled(text))))
        != (theirs := sorted(printed_commands.within(filled(korean[text_id]))))
    }
    assert not differing


def commands_in_code() -> dict[str, str]:
    """The commands that are put together as tuples of words, with X for what is filled in."""
    commands = {}
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if '"hanbae"' in text else ():
            if not isinstance(node, ast.Tuple) or len(node.elts) < 2:
                continue
            words = [part.value if isinstance(part, ast.Constant) else "X" for part in node.elts]
            if words[0] == "hanbae":
                where = str(path.relative_to(SOURCE))
                commands[" ".join(map(str, words)) + BEGUN.get(where, "")] = where
    return commands


def test_commands_that_are_put_together_are_complete() -> None:
    commands = commands_in_code()
    assert len(commands) > 5
    assert not {
        (command, where): fault
        for command, where in commands.items()
        if (fault := printed_commands.fault(command))
    }


@pytest.mark.parametrize(
    "command",
    [
        "hanbae secrets seal auth",
        "hanbae secrets seal auth KEY",
        "hanbae image set auth --env dev",
        "hanbae generate",
        "hanbae deploy auth",
        "hanbae depoly auth --env dev",
        "hanbae check --nothing",
    ],
)
def test_incomplete_command_is_seen(command: str) -> None:
    assert printed_commands.fault(command)
