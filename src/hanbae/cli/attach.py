"""``hanbae attach``: a deployment that goes on somewhere, or that nobody drives any more."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from hanbae import wording
from hanbae.cli import interrupts, options, outputs

if TYPE_CHECKING:
    from hanbae import workspaces


@click.command(
    cls=options.Command,
    help="""\
Follow a deployment to its end, and go on with it where nobody does.

ID may be shortened where this machine's history has it; one of another machine is found in the cluster by its
whole id.""",
    epilog="""\
Examples:
  hanbae attach 20261123-101500-4f7k2m
  hanbae attach 20261123-101500-4f7k2m --env staging --output jsonl""",
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
    """Follow, and go on."""
    outcome = follow(session, deployment, environment, output, kube_context, stops=False)
    if isinstance(outcome, int):
        return outcome
    from hanbae.cli import deploy

    return deploy.exit_code([outcome])  # type: ignore[list-item]


def follow(
    session: options.Session,
    deployment: str,
    environment: str | None,
    output: str,
    context: str | None,
    *,
    stops: bool,
) -> str | int:
    """Show a deployment to its end.

    Returns:
        Its outcome, or the exit code where the person went away.
    """
    from hanbae import workspaces

    with workspaces.opened(session.directory, context=context) as space:
        shown: list[str] = []
        try:
            with interrupts.terminable() as terminated:
                showing = _show(
                    session,
                    space,
                    deployment,
                    environment=environment,
                    output=output,
                    shown=shown,
                    stops=stops,
                )
                asyncio.run(showing)
        except KeyboardInterrupt:
            if shown:
                session.narration.warn(wording.Text("attach.detached", {"deployment": shown[0]}))
            return interrupts.TERMINATED if terminated else interrupts.INTERRUPTED
        found = space.store.deployment(shown[0])
        if output == "json":
            outputs.emit_json({"deployments": [found]})
        elif output == "text":
            from hanbae.cli.text import tables

            outputs.emit(tables.deployed([found]))
        return found.outcome


async def _show(
    session: options.Session,
    space: workspaces.Workspace,
    deployment: str,
    *,
    environment: str | None,
    output: str,
    shown: list[str],
    stops: bool,
) -> None:
    from hanbae.cli import deploy
    from hanbae.deploying import attaching

    stream = attaching.attached(space, deployment, environment=environment, stops=stops)
    with deploy.view(session, output) as view:
        async with contextlib.aclosing(stream):
            async for event in stream:
                shown[:] = [event.deployment]
                if output == "jsonl":
                    outputs.emit_jsonl(event)
                view.event(event)
