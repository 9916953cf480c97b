"""The commands of hanbae, as a person types them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hanbae.cli import main


def walk(
    command: click.Command = main.front, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group with its words, the outermost first.

    Args:
        command: Where to begin.
        path: The words that lead there.
    """
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, (*path, name))


def leaves() -> list[str]:
    """The commands that do something: ``hold add``."""
    return [" ".join(path) for path, command in walk() if not isinstance(command, click.Group)]
