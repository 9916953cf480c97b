"""Wrong use that click finds, as the Texts that every other error has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from click.core import ParameterSource

from hanbae import wording

_REASONS: Final = frozenset({"--waive-freeze", "--why"})
"""Options that say why: nothing means that there is no reason, so a CI job may hand on what nobody has filled in."""


class EmptyValue(click.UsageError):
    """A value on the command line that is empty.

    Attributes:
        parameter: The option, or the name of the argument.
    """

    def __init__(self, parameter: str, context: click.Context) -> None:
        super().__init__(parameter, context)
        self.parameter = parameter


class NoSuchChoice(click.BadParameter):
    """A value that is none of those that there are.

    Attributes:
        value: What was typed.
        choices: Those that there are.
    """

    def __init__(self, error: click.BadParameter, value: str, choices: Sequence[str]) -> None:
        super().__init__(error.message, error.ctx, error.param)
        self.value = value
        self.choices = choices


def refuse_empty(command: click.Command, context: click.Context, arguments: Sequence[str]) -> None:
    """Refuse a command line with an empty value.

    Args:
        command: The command.
        context: Its context.
        arguments: Its words.

    Raises:
        EmptyValue: The first option or argument that has one.
        click.UsageError: The words cannot be parsed.
    """
    if "" not in arguments and not any(word.endswith("=") for word in arguments):
        return
    # Before click converts them: `Path("")` is the folder that one is in.
    parsed, _, _ = command.make_parser(context).parse_args(args=list(arguments))
    for parameter in command.get_params(context):
        value = parsed.get(parameter.name or "")
        if not parameter.required and _REASONS.intersection(parameter.opts):
            continue
        if value == "" or (isinstance(value, (list, tuple)) and "" in value):
            raise EmptyValue(_spelled(parameter), context)


def _spelled(parameter: click.Parameter) -> str:
    """What a parameter is called in its command's usage line."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.metavar or (parameter.name or "").upper()).strip("[].")


def text(error: click.ClickException) -> wording.Text:
    """The sentence for an error of click's, with what exists instead as ``known``."""
    context = getattr(error, "ctx", None)
    match error:
        case click.NoSuchCommand(command_name=""):
            return wording.Text("usage.empty", {"parameter": "COMMAND"})
        case click.NoSuchCommand(command_name=name):
            facts = {"command": name, "known": ", ".join(_commands(context))}
            return wording.Text("usage.no-command", facts)
        case click.NoSuchOption(option_name=name):
            facts = {"option": name, "known": ", ".join(_options(context))}
            return wording.Text("usage.no-option", facts)
        case EmptyValue(parameter=parameter):
            return wording.Text("usage.empty", {"parameter": parameter})
    facts = {}
    if isinstance(error, NoSuchChoice):
        facts = {"choice": error.value, "known": ", ".join(error.choices)}
    # click's own sentence would name the option, which nobody has typed here.
    variable = _variable(error, context)
    if variable:
        facts |= {"variable": variable, "message": error.message}
        return wording.Text("usage.variable", facts)
    message = " ".join(error.format_message().split())  # a list of choices has a line for each
    return wording.Text("usage.wrong", facts | {"message": message})


def _commands(context: click.Context | None) -> list[str]:
    if context is None or not isinstance(context.command, click.Group):
        return []
    return context.command.list_commands(context)


def _options(context: click.Context | None) -> list[str]:
    if context is None:
        return []
    return [
        spelling
        for parameter in context.command.get_params(context)
        if isinstance(parameter, click.Option)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling.startswith("--")
    ]


def _variable(error: click.ClickException, context: click.Context | None) -> str:
    """The environment variable that a refused value came from; empty where it was typed."""
    parameter = getattr(error, "param", None)
    if not isinstance(error, click.BadParameter) or parameter is None or context is None:
        return ""
    if context.get_parameter_source(parameter.name) is not ParameterSource.ENVIRONMENT:
        return ""
    if parameter.envvar:
        return parameter.envvar if isinstance(parameter.envvar, str) else parameter.envvar[0]
    return f"{context.auto_envvar_prefix}_{parameter.name}".upper()
