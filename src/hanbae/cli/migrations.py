"""``hanbae migrations``: what a service's migrations are, and what they do."""

from __future__ import annotations

import click

from hanbae.cli import options, rehearse


@click.group(
    cls=options.Group,
    help="Look at a service's migrations, and rehearse them.",
    epilog="""\
Examples:
  hanbae migrations rehearse auth
  hanbae migrations rehearse auth --from production --rows 200000""",
)
def command() -> None:
    """Group the verbs of migrations."""


command.add_command(rehearse.command, "rehearse")
