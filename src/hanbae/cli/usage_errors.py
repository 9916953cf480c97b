"""Wrong use that click finds, as the Texts that every other error has."""

from __future__ import annotations

import click
from click.core import ParameterSource

from hanbae import wording


def text(error: click.ClickException) -> wording.Text:
    """The sentence for an error of click's, with what exists instead as ``known``."""
    context = getattr(error, "ctx", None)
    match error:
        case click.NoSuchCommand(command_name=name):
            facts = {"command": name, "known": ", ".join(_commands(context))}
            return wording.Text("usage.no-command", facts)
        case click.NoSuchOption(option_name=name):
            facts = {"option": name, "known": ", ".join(_options(context))}
            return wording.Text("usage.no-option", facts)
    # click's own sentence would name the option, which nobody has typed here.
    variable = _variable(error, context)
    if variable:
        return wording.Text("usage.variable", {"variable": variable, "message": error.message})
    return wording.Text("usage.wrong", {"message": error.format_message()})


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
