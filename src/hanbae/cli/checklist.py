"""``hanbae checklist``: decides the policy's checklist, and shows what was decided of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import click

from hanbae import loops, wording
from hanbae.cli import names, options, outputs

if TYPE_CHECKING:
    from hanbae.results import checklists, deployments

_FAILED: Final = 1
_FORMATS: Final = ("text", "json", "markdown", "junit")


@dataclass(frozen=True)
class Target:
    """Of which item somebody says something.

    Attributes:
        service: The service.
        item: The item's id.
        environment: The environment.
        context: kubeconfig context in place of the environment's own.
    """

    service: str
    item: str
    environment: str
    context: str | None


_until = click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="For every commit up to and with this day (UTC), such as 2026-12-24; else for the head commit only.",
)


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
    type=options.Choice(("before", "during", "after")),
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
        space.refuse_unknown((service,), environment)  # before anything is said to be checked
        facts = {"service": service, "environment": environment}
        session.narration.step(wording.Text("checklist.running", facts))
        phases = checklists.PHASES if phase is None else (phase,)
        checklist = loops.run(run_checklist.run(space, service, environment, phases=phases))
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
        record = space.store.deployment(space.store.find(deployment))
    checklist = of(record)
    if not checklist.phases:
        session.narration.note(wording.Text("checklist.undecided", {"deployment": record.id}))
    emit(checklist, output)


@command.command(
    "attest",
    help="""\
Attest an item of the checklist that only a person can decide, for the head of the environment's branch.

What you say is kept in the cluster with your name there; the next deployment of that commit records it.""",
    epilog="""\
Examples:
  hanbae checklist attest auth load-tested --env staging --why "500 requests/s for an hour"
  hanbae checklist attest auth load-tested --env staging --until 2026-12-24""",
)
@click.argument("service", shell_complete=names.services)
@click.argument("item", metavar="ITEM")
@options.environment()
@click.option("--why", metavar="TEXT", default="", help="What you have seen.")
@_until
@options.output("text", "json")
@options.context()
@options.session
def attest(
    session: options.Session,
    *,
    service: str,
    item: str,
    environment: str,
    why: str,
    until: datetime | None,
    output: str,
    kube_context: str | None,
) -> None:
    """Attest an item."""
    target = Target(service, item, environment, kube_context)
    _state(session, target, "attested", why=why, until=until, output=output)


@command.command(
    "waive",
    help="""\
Waive an item of the checklist that does not pass, for the head of the environment's branch.

What you say is kept in the cluster with your name there; the next deployment of that commit records it and goes on.""",
    epilog="""\
Examples:
  hanbae checklist waive auth api-tested --env staging --why "The gateway is down for maintenance"
  hanbae checklist waive auth logs-clean --env dev --why "Known noise" --until 2026-12-24""",
)
@click.argument("service", shell_complete=names.services)
@click.argument("item", metavar="ITEM")
@options.environment()
@click.option("--why", metavar="REASON", required=True, help="Why it need not pass.")
@_until
@options.output("text", "json")
@options.context()
@options.session
def waive(
    session: options.Session,
    *,
    service: str,
    item: str,
    environment: str,
    why: str,
    until: datetime | None,
    output: str,
    kube_context: str | None,
) -> None:
    """Waive an item."""
    target = Target(service, item, environment, kube_context)
    _state(session, target, "waived", why=why, until=until, output=output)


def _state(
    session: options.Session,
    target: Target,
    outcome: Literal["waived", "attested"],
    *,
    why: str,
    until: datetime | None,
    output: str,
) -> None:
    from hanbae import workspaces
    from hanbae.actions import state_item

    service, item, environment = target.service, target.item, target.environment
    day = until.date() if until is not None else None
    with workspaces.opened(session.directory, context=target.context) as space:
        statement = loops.run(
            state_item.state(space, service, environment, item, outcome=outcome, why=why, until=day)
        )
    if output == "json":
        outputs.emit_json(statement)
        return
    facts = {
        "item": item,
        "service": service,
        "environment": environment,
        "commit": statement.revision[:12],
        "until": statement.until,
    }
    how = "until" if statement.until else "commit"
    session.narration.succeed(wording.Text(f"checklist.is-{outcome}-{how}", facts))


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
