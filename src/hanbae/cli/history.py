"""``hanbae history``: what was deployed, and everything that was seen while it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hanbae.cli import options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.results import deployments


@click.group(
    cls=options.Group,
    help="Show what was deployed, when, by whom, and with which proof.",
    epilog="""\
Examples:
  hanbae history list
  hanbae history show 20261123""",
)
def command() -> None:
    """Group the verbs of the history."""


@command.command(
    "list",
    help="List deployments, the newest first.",
    epilog="""\
Examples:
  hanbae history list
  hanbae history list auth --env production --limit 5
  hanbae history list --output json""",
)
@click.argument("service", required=False)
@options.environment(required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Show at most this many.",
)
@options.output("text", "json")
@options.session
def listing(
    session: options.Session,
    service: str | None,
    environment: str | None,
    limit: int,
    output: str,
) -> None:
    """List deployments."""
    from hanbae import workspaces
    from hanbae.cli.text import tables

    with workspaces.opened(session.directory) as space:
        if environment is not None:
            space.environment(environment)
        rows = space.store.deployments(service=service, environment=environment, limit=limit)
    if output == "json":
        outputs.emit_json({"deployments": rows})
    elif rows:
        outputs.emit(tables.deployed(rows, identified=True))


@command.command(
    "show",
    help="""\
Show one deployment: every event, as it was seen.

ID may be shortened as long as it is unique.""",
    epilog="""\
Examples:
  hanbae history show 20261123-101500-4f7k2m
  hanbae history show 20261123-1015 --output jsonl""",
)
@click.argument("deployment", metavar="ID")
@options.output("text", "json", "jsonl")
@options.session
def show(session: options.Session, deployment: str, output: str) -> None:
    """Show one deployment."""
    from hanbae import workspaces
    from hanbae.results import deployments as folded

    with workspaces.opened(session.directory) as space:
        stream = space.store.events(space.store.find(deployment))
    if output == "json":
        outputs.emit_json({"deployment": folded.fold(stream), "events": stream})
    elif output == "jsonl":
        for event in stream:
            outputs.emit_jsonl(event)
    else:
        from hanbae.cli.text import event_lines

        outputs.emit(_headline(folded.fold(stream)))
        for event in stream:
            moment = event.at.astimezone().strftime("%H:%M:%S")
            for line in event_lines.lines(event):
                mark, color = event_lines.MARKS[line.meaning]
                outputs.emit(f"{moment} {click.style(mark, fg=color or None)} {line.words}")


def _headline(deployment: deployments.Deployment) -> str:
    outcome = catalogue.words(f"deploy.outcome-{deployment.outcome}")
    opened = deployment.opened.astimezone().strftime("%Y-%m-%d %H:%M") if deployment.opened else ""
    parts = (
        deployment.id,
        f"{deployment.service} → {deployment.environment}",
        deployment.revision[:12],
        opened,
        outcome,
    )
    return "  ".join(parts)
