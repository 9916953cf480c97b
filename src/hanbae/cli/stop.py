"""``hanbae stop``: ends a deployment, or whatever else Argo CD does for a service, whoever has started it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hanbae import loops, wording
from hanbae.cli import attach, interrupts, names, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.actions import stop


@click.command(
    cls=options.Command,
    help="""\
End a deployment, or whatever runs for a service.

With ID, a deployment of hanbae's. With SERVICE and --env, whatever runs for it there now, whoever has started it:
after showing what that is and asking.
The sync is terminated; a migration that runs without a transaction is waited for, at most until its Job's deadline.
What was migrated stays migrated, and pods that were replaced stay replaced.""",
    epilog="""\
Examples:
  hanbae stop auth --env dev
  hanbae stop 20261123-101500-4f7k2m
  hanbae stop 20261123-101500-4f7k2m --env production""",
)
@click.argument("deployment", metavar="ID|SERVICE", shell_complete=names.services)
@options.environment(required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.output("text", "json", "jsonl")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    deployment: str,
    environment: str | None,
    yes: bool,
    output: str,
    kube_context: str | None,
) -> int:
    """End it."""
    from hanbae import errors, workspaces
    from hanbae.repository import services

    with workspaces.opened(session.directory, context=kube_context) as space:
        service, others = deployment, ""
        is_service = service in services.of_checkout(space.loaded)
        if is_service:
            if environment is None:
                raise errors.WrongUse("stop.no-environment", service=deployment)
            deployment, others = loops.run(
                _service(session, space, deployment, environment, yes=yes, output=output)
            )
    # No deployment of hanbae's: `_service` has ended the operation already.
    if is_service and not deployment:
        return 0
    followed = attach.follow(
        session,
        deployment,
        environment,
        output,
        kube_context,
        stops=True,
        # While the question stood; what it waited for is to be ended all the same.
        may_have_ended=bool(others),
        service=service if is_service else None,
    )
    if followed.interrupted:
        return followed.interrupted
    if others and environment is not None:
        try:
            with (
                interrupts.terminable() as terminated,
                workspaces.opened(session.directory, context=kube_context) as space,
            ):
                loops.run(end_other(session, space, service, environment, others))
        except KeyboardInterrupt:
            # The deployment's document is written; another one would follow it.
            return interrupts.TERMINATED if terminated else interrupts.INTERRUPTED
    return 0 if followed.outcome == "stopped" else 1


async def _service(
    session: options.Session,
    space: workspaces.Workspace,
    service: str,
    environment: str,
    *,
    yes: bool,
    output: str,
) -> tuple[str, str]:
    """End the operation that runs for a service, unless a deployment of hanbae's is to be ended first.

    Returns:
        That deployment, and the identity of the operation that it waits for; empty for none.
    """
    from hanbae.actions import stop

    async with stop.running(space, service, environment) as running:
        show_running(session, running)
        if not yes:
            is_waiting = bool(running.deployment and running.occupant)
            _ask(service, environment, "stop.ask-both" if is_waiting else "stop.ask")
        if running.deployment:
            return running.deployment, running.occupant.identity if running.occupant else ""
        stopped = await _end(session, running)
    if output == "json":
        outputs.emit_json({"deployments": (), "stopped": stopped})
    elif output == "jsonl":
        outputs.emit_jsonl(stopped)
    return "", ""


async def end_other(
    session: options.Session,
    space: workspaces.Workspace,
    service: str,
    environment: str,
    identity: str,
) -> None:
    """End the operation that a deployment waited for, which the person has agreed to; no other one."""
    from hanbae import errors
    from hanbae.actions import stop

    try:
        async with stop.running(space, service, environment) as running:
            occupant = running.occupant
            if occupant is not None and occupant.identity == identity:
                await _end(session, running)
                return
    except errors.Refused as error:
        if error.text.id != "stop.nothing-runs":
            raise
    facts = {"service": service, "environment": environment}
    session.narration.succeed(wording.Text("stop.ended-by-itself", facts))


async def _end(session: options.Session, running: stop.Running) -> stop.Stopped:
    """End an operation, and say so."""
    waits_for = await running.waits_for()
    if waits_for is not None:
        session.narration.note(waits_for)
    stopped = await running.end()
    text_id = "stop.done" if stopped.ended else "stop.ended-by-itself"
    facts = {"service": running.service, "environment": running.environment}
    session.narration.succeed(wording.Text(text_id, facts))
    return stopped


def show_running(session: options.Session, running: stop.Running) -> None:
    """What would be ended, and why it does not go on."""
    from hanbae.cli.text import event_lines

    speaker = session.narration
    facts = {"service": running.service, "environment": running.environment}
    deployment = {"deployment": running.deployment}
    if running.occupant is None:
        speaker.step(wording.Text("stop.deployment-runs", facts | deployment))
        return
    occupant = running.occupant
    facts |= {
        "revision": occupant.revision[:12] or "-",
        "by": occupant.by or "Argo CD",
        "since": occupant.started or "-",
        "message": occupant.message,
    }
    text_id = "stop.both-run" if running.deployment else "stop.operation-runs"
    if running.is_helm:
        text_id = "stop.helm-runs"
    speaker.step(wording.Text(text_id, facts | deployment))
    for cause in running.causes:
        for line in event_lines.laid_out(cause, width=speaker.width, indent="  "):
            speaker.line(line)


def _ask(service: str, environment: str, text_id: str) -> None:
    """Ask whether it is to be ended.

    Raises:
        hanbae.errors.Refused: The answer is no, or there is nobody to ask.
    """
    from hanbae import errors

    facts = {"service": service, "environment": environment}
    if not sys.stdin.isatty():
        raise errors.Refused("stop.needs-yes", place=None, **facts)
    question = catalogue.sentence(wording.Text(text_id, facts))
    if not click.confirm(question, default=False, err=True):
        raise errors.Refused("stop.declined", place=None, **facts)
