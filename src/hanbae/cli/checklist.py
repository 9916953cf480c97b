"""``hanbae checklist``: decides the policy's checklist, and shows what was decided of a deployment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click

from hanbae import wording
from hanbae.cli import names, options, outputs

if TYPE_CHECKING:
    from hanbae.results import checklists, deployments

_FAILED: Final = 1
_FORMATS: Final = ("text", "json", "markdown", "junit")


@click.group(
    cls=options.Group,
    help="Decide the policy's checklist, and show the evidence of deployments.",
    epilog="""\
Examples:
  hanbae checklist run auth --env staging
  hanbae checklist run auth --env staging --phase before
  hanbae checklist show 20261123""",
)
def command() -> None:
    """Group the verbs of checklists."""


@command.command(
    "run",
    help="""\
Decide the items of a service's checklist, and deploy nothing.

Looks at the head of the environment's branch, the registry and the cluster. Leaves with 1 when an item has failed;
one that nobody can decide is shown as such and fails nothing.""",
    epilog="""\
Examples:
  hanbae checklist run auth --env staging
  hanbae checklist run auth --env staging --phase before
  hanbae checklist run auth --env production --output markdown""",
)
@click.argument("service", shell_complete=names.services)
@options.environment()
@click.option(
    "--phase",
    type=click.Choice(("before", "during", "after")),
    help="Only the items before a deployment, while it runs, or after it; else all of them.",
)
@options.output(*_FORMATS)
@options.context()
@options.insecure()
@options.session
def run(
    session: options.Session,
    *,
    service: str,
    environment: str,
    phase: checklists.Phase | None,
    output: str,
    kube_context: str | None,
    insecure: bool,
) -> int:
    """Run a checklist."""
    from hanbae import workspaces
    from hanbae.actions import run_checklist
    from hanbae.results import checklists

    with workspaces.opened(session.directory, context=kube_context, insecure=insecure) as space:
        facts = {"service": service, "environment": environment}
        session.narration.step(wording.Text("checklist.running", facts))
        phases = checklists.PHASES if phase is None else (phase,)
        checklist = asyncio.run(run_checklist.run(space, service, environment, phases=phases))
    emit(checklist, output)
    return _FAILED if checklist.failed else 0


@command.command(
    "show",
    help="""\
Show the checklist of one deployment with its evidence, as it was decided then.

ID may be shortened as long as it is unique.""",
    epilog="""\
Examples:
  hanbae checklist show 20261123-101500-4f7k2m
  hanbae checklist show 20261123-1015 --output markdown""",
)
@click.argument("deployment", metavar="ID")
@options.output(*_FORMATS)
@options.session
def show(session: options.Session, deployment: str, output: str) -> None:
    """Show the checklist of a deployment."""
    from hanbae import workspaces

    with workspaces.opened(session.directory) as space:
        shown = space.store.deployment(space.store.find(deployment))
    checklist = of(shown)
    if not checklist.phases:
        session.narration.note(wording.Text("checklist.undecided", {"deployment": shown.id}))
    emit(checklist, output)


def of(deployment: deployments.Deployment) -> checklists.Checklist:
    """The checklist of a deployment, as it was decided then."""
    from hanbae.results import checklists

    return checklists.Checklist(
        deployment.service,
        deployment.environment,
        deployment.revision,
        deployment.checklist,
        deployment.id,
    )


def emit(checklist: checklists.Checklist, output: str) -> None:
    """Write a checklist in one of the formats."""
    if output == "json":
        outputs.emit_json(checklist)
        return
    from hanbae.cli.reports import checklist_items

    if output == "markdown":
        outputs.emit(checklist_items.markdown(checklist))
    elif output == "junit":
        outputs.emit(checklist_items.junit(checklist))
    else:
        for line in checklist_items.lines(checklist):
            if line.as_written:
                outputs.emit(f"{line.head}{line.words}")
            else:
                outputs.emit_text(line.words, head=line.head, indent=line.indent)
