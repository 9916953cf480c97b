"""``hanbae stop``: ends a deployment, whoever drives it."""

from __future__ import annotations

import click

from hanbae.cli import attach, options


@click.command(
    cls=options.Command,
    help="""\
End a deployment.

Its sync is terminated; a migration that runs without a transaction is waited for, at most until its Job's deadline.
What was migrated stays migrated, and pods that were replaced stay replaced.""",
    epilog="""\
Examples:
  hanbae stop 20261123-101500-4f7k2m
  hanbae stop 20261123-101500-4f7k2m --env production""",
)
@click.argument("deployment", metavar="ID")
@options.environment(required=False)
@options.output("text", "json", "jsonl")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    deployment: str,
    environment: str | None,
    output: str,
    kube_context: str | None,
) -> int:
    """End it."""
    followed = attach.follow(session, deployment, environment, output, kube_context, stops=True)
    if followed.interrupted:
        return followed.interrupted
    return 0 if followed.outcome == "stopped" else 1
