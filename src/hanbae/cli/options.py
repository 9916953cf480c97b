"""What all commands share: the context, the command class that speaks both languages, and common options."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click

from hanbae.cli import names, quitting, usage_errors
from hanbae.cli.text import catalogue, help_pages, narration

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Session:
    """What the options before the command say.

    Attributes:
        directory: Where the repository is looked for, upwards.
        narration: How to speak to the person.
    """

    directory: Path
    narration: narration.Narration


session = click.make_pass_decorator(Session)
"""Gives the command the :class:`Session` as its first argument."""


class Command(click.Command):
    """A command whose words are msgids in the code and are looked up only when they are shown.

    The epilog holds the examples; they are shown as they were written.
    """

    context_class = help_pages.Context

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Parse, once no value is known to be empty: ``--env "$ENV"`` without the variable would mean all of them."""
        if context.parent is not None and not context.resilient_parsing:
            usage_errors.refuse_empty(self, context, args)
        return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        """Run the command; from here on Ctrl-C has something to put right."""
        if not isinstance(self, click.Group):
            quitting.in_order()
        return super().invoke(context)

    def format_help(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help in the language that is spoken."""
        options = [p for p in self.get_params(context) if isinstance(p, click.Option)]
        # click reads these attributes while it lays out the page. They become msgids again
        # afterwards, because the next page may be in another language.
        msgids = self.help, [option.help for option in options]
        try:
            self.help = catalogue.words(self.help or "")
            for option in options:
                option.help = catalogue.words(option.help or "")
            super().format_help(context, formatter)
        finally:
            self.help = msgids[0]
            for option, msgid in zip(options, msgids[1], strict=True):
                option.help = msgid

    def get_help_option(self, context: click.Context) -> click.Option | None:
        """click's, whose words wait as all others do."""
        with catalogue.untranslated():
            return super().get_help_option(context)

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first paragraph of the help, for lists of commands, which wrap it."""
        return " ".join(catalogue.words(self.help or "").split("\n\n")[0].split())

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.epilog and isinstance(formatter, help_pages.Formatter):
            heading, _, lines = self.epilog.strip("\n").partition("\n")
            formatter.write_paragraph()
            formatter.write(f"{catalogue.words(heading)}\n")
            formatter.write_examples(lines.split("\n"))


class Choice(click.Choice[str]):
    """One of several words; a misspelt one is answered with the one that was meant."""

    def convert(
        self, value: str, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        """As click's own, with the words in the error."""
        try:
            return super().convert(value, parameter, context)
        except click.BadParameter as error:
            raise usage_errors.NoSuchChoice(error, value, self.choices) from error


class Group(Command, click.Group):
    """A group of commands, worded likewise."""

    command_class = Command


Group.group_class = Group


def output(*formats: str, default: str = "text") -> Callable[[Function], Function]:
    """The option ``--output`` with the formats that a command has."""
    return click.option(
        "-o",
        "--output",
        type=Choice(formats or ("text", "json")),
        default=default,
        show_default=True,
        help="Format of the data on standard output.",
    )


def environment(*, required: bool = True) -> Callable[[Function], Function]:
    """The option ``--env``; the command checks the name against the policy."""
    return click.option(
        "-e",
        "--env",
        "environment",
        required=required,
        metavar="ENV",
        shell_complete=names.environments,
        help="Environment of the policy, such as dev, staging or production.",
    )


def insecure() -> Callable[[Function], Function]:
    """The option ``--insecure-registry``."""
    return click.option(
        "--insecure-registry",
        "insecure",
        is_flag=True,
        help="Speak plain HTTP to the registry, password included.",
    )


def context() -> Callable[[Function], Function]:
    """The option ``--context``: which cluster, for both the control and the workload connection.

    One that is not there is refused before the command begins: those that look at several environments would call each
    of them unreachable.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            if options["kube_context"] is not None:
                from hanbae.clusters import connections

                connections.require(options["kube_context"])
            return function(*arguments, **options)

        return _CONTEXT(cast("Function", checked))

    return decorate


_CONTEXT: Final = click.option(
    "--context",
    "kube_context",
    metavar="CONTEXT",
    help="kubeconfig context to use instead of the environment's own.",
)


def _caches() -> bool:
    """Whether to use kept results where nobody says: in CI their result opens a gate, and caches are shared there."""
    return os.environ.get("CI", "").lower() in {"", "0", "false", "no"}


cache = click.option(
    "--cache/--no-cache",
    default=_caches,
    help="Use what earlier runs have found for files that have not changed; unless told, not where CI is set.",
)
"""The options ``--cache`` and ``--no-cache``."""
