"""Commands that hanbae prints, held against the parser that would take them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import click

from hanbae.cli import main
from hanbae.cli.text import command_names, wrapping

_COMMAND: Final = re.compile(rf"hanbae (?:{'|'.join(command_names.COMMANDS)})\b[^`”]*")
_AFTER: Final = "`”'\".,;:!?)"
"""What may stand behind a command in a sentence."""

#: What the parser itself does not ask for, but the command does.
_NEEDS: Final[Mapping[tuple[str, ...], Callable[[Mapping[str, Any]], bool]]] = {
    ("image", "set"): lambda parameters: (
        len(parameters["words"]) > 1 or bool(parameters["from_environment"])
    ),
    ("secrets", "seal"): lambda parameters: bool(
        parameters["keys"]
        or parameters["env_file"]
        or parameters["same_as"]
        or parameters["lengths"]
        or parameters["removed"]
    ),
    ("deploy",): lambda parameters: bool(parameters["environment"] or parameters["saved"]),
}


def within(text: str) -> Iterator[str]:
    """The commands of a text, each as a person copies it, where no line of a narrow terminal breaks it."""
    for line in text.split("\n"):
        for word in wrapping._words(line):
            if match := _COMMAND.search(word):
                yield match[0].rstrip(_AFTER)


def fault(command: str) -> str:
    """Why hanbae would not take a command; empty where it would."""
    arguments = shlex.split(command)[1:]
    context = main.front.make_context("hanbae", [], resilient_parsing=True)
    context.resilient_parsing = False  # it was made without settling a language
    path: tuple[str, ...] = ()
    leaf: click.Command = main.front
    try:
        while isinstance(leaf, click.Group):
            name, subcommand, arguments = leaf.resolve_command(context, list(arguments))
            assert name is not None
            assert subcommand is not None
            path, leaf = (*path, name), subcommand
            if isinstance(leaf, click.Group):
                context = click.Context(leaf, parent=context, info_name=name)
        parameters = leaf.make_context(path[-1], list(arguments), parent=context).params
    except click.ClickException as error:
        return error.format_message()
    except IndexError:
        return "only a group of commands"
    if path in _NEEDS and not _NEEDS[path](parameters):
        return f"less than {' '.join(path)} needs"
    return ""
