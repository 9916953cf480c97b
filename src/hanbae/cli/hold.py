"""``hanbae hold``: what may not be deployed, for the whole team."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hanbae import loops, wording
from hanbae.cli import names, options, outputs, unreached
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.results import holds


@click.group(
    cls=options.Group,
    help="Hold services, so that nobody deploys them, and lift that again.",
    epilog="""\
Examples:
  hanbae hold add auth --env production --why "The login page is slow"
  hanbae hold list
  hanbae hold lift auth --env production""",
)
def command() -> None:
    """Group the verbs of holds."""


_revision = click.option(
    "--revision",
    metavar="REV",
    default="",
    help="Only this commit; else all of them.",
)


@command.command(
    "add",
    help="""\
Hold a service in an environment: `hanbae deploy` refuses it until the hold is lifted.

The hold is in the cluster, on the Lease that every deployment takes first, with your name there and the time.
What runs goes on; Argo CD still syncs what it syncs by itself.""",
    epilog="""\
Examples:
  hanbae hold add auth --env production --why "The login page is slow"
  hanbae hold add auth --env production --revision 3f2c1ab --why "Loses sessions\"""",
)
@click.argument("service", shell_complete=names.services)
@options.environment()
@click.option("--why", required=True, metavar="REASON", help="Why; whoever is refused reads it.")
@_revision
@options.output("text", "json")
@options.context()
@options.session
def add(
    session: options.Session,
    *,
    service: str,
    environment: str,
    why: str,
    revision: str,
    output: str,
    kube_context: str | None,
) -> None:
    """Hold it."""
    from hanbae import workspaces
    from hanbae.actions import hold

    with workspaces.opened(session.directory, context=kube_context) as space:
        held_service = loops.run(hold.add(space, service, environment, why=why, revision=revision))
    if output == "json":
        outputs.emit_json(held_service)
        return
    facts = {"service": service, "environment": environment}
    session.narration.succeed(wording.Text("hold.added", facts))


@command.command(
    "lift",
    help="Lift the holds of a service in an environment, whoever has set them.",
    epilog="""\
Examples:
  hanbae hold lift auth --env production
  hanbae hold lift auth --env production --revision 3f2c1ab""",
)
@click.argument("service", shell_complete=names.services)
@options.environment()
@_revision
@options.output("text", "json")
@options.context()
@options.session
def lift(
    session: options.Session,
    *,
    service: str,
    environment: str,
    revision: str,
    output: str,
    kube_context: str | None,
) -> None:
    """Lift it."""
    from hanbae import workspaces
    from hanbae.actions import hold

    with workspaces.opened(session.directory, context=kube_context) as space:
        lifted, remaining = loops.run(hold.lift(space, service, environment, revision=revision))
    if output == "json":
        outputs.emit_json(remaining)
        return
    facts = {"service": service, "environment": environment}
    session.narration.succeed(wording.Text("hold.lifted" if lifted.holds else "hold.none", facts))
    _show(lifted)


@command.command(
    "list",
    help="""\
Show what is held, by whom, since when and why.

Exit code 4 where an environment cannot be reached; the others are shown all the same.""",
    epilog="""\
Examples:
  hanbae hold list
  hanbae hold list auth --env production
  hanbae hold list --output json""",
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json")
@options.context()
@options.session
def list_(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    output: str,
    kube_context: str | None,
) -> int:
    """Show them."""
    from hanbae import workspaces
    from hanbae.actions import hold

    with workspaces.opened(session.directory, context=kube_context) as space:
        environments = (environment,) if environment else ()
        listed = loops.run(hold.listed(space, services, environments))
    if output == "json":
        outputs.emit_json(listed)
    for held_service in listed.held if output == "text" else ():
        _show(held_service)
    if output == "text" and not listed.held and not listed.unreached:
        session.narration.note(wording.Text("hold.nothing"))
    return unreached.tell(session, listed.unreached)


def _show(held_service: holds.HeldService) -> None:
    from hanbae.deploying import holding

    for hold in held_service.holds:
        text_id = "hold.of-revision" if hold.revision else "hold.of-all"
        about = holding.facts(hold, held_service.service, held_service.environment)
        outputs.emit_text(catalogue.sentence(wording.Text(text_id, about)), indent="  ")
