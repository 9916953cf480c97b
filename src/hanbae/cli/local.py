"""``hanbae local``: the local environment in Docker Compose."""

from __future__ import annotations

import asyncio

import click

from hanbae.cli import options, outputs


@click.group(
    cls=options.Group,
    help="Run the services on this machine, in Docker Compose, as the charts run them in a cluster.",
    epilog="""\
Examples:
  hanbae generate compose
  hanbae local check""",
)
def command() -> None:
    """Group what there is to do with the local environment."""


@command.command(
    "check",
    help="""\
Compare the Compose file, whoever wrote it, with what the charts ask for.

Images, names of variables, secrets in clear, ports, probes, memory and CPU, the database's major version and the order
of migrations; exit with 1 where they differ. What Compose cannot do is said beside it. Needs no Docker, unless there is
an override to merge.""",
    epilog="""\
Examples:
  hanbae local check
  hanbae local check --output json""",
)
@options.output("text", "json")
@options.session
def check(session: options.Session, output: str) -> int:
    """Compare."""
    from hanbae.actions import generate_compose
    from hanbae.cli.text import parity_lines

    parity = asyncio.run(generate_compose.check_parity(session.directory))
    if output == "json":
        outputs.emit_json(parity)
    parity_lines.tell(session.narration, parity)
    return 1 if parity.differences else 0
