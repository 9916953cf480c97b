"""``hanbae history``: what was deployed, and everything that was seen while it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from hanbae import wording
from hanbae.cli import (
    copying,
    delivery,
    evidence,
    names,
    options,
    outputs,
    outside,
    unreadable,
)
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.cli.text import event_lines
    from hanbae.results import deployments, events


@click.group(
    cls=options.Group,
    help="Show what was deployed, when, by whom, and with which proof.",
    epilog="""\
Examples:
  hanbae history list
  hanbae history show 20261123
  hanbae history dora --env production
  hanbae history export --controls isms-p --from 2026-01-01""",
)
def command() -> None:
    """Group the verbs of the history."""


command.add_command(copying.command)
command.add_command(delivery.command)
command.add_command(evidence.command)


@command.command(
    "list",
    help="""\
List deployments, the newest first: when, what, which image, how it ended; by whom where there is room.

Attempts that were refused, so that nothing was changed, are left out unless --all is given.
With --live, clusters are asked as well: syncs and edits of Applications that were not hanbae's are listed below.
A record that cannot be read is named and hides no other; the exit code is then 2.""",
    epilog="""\
Examples:
  hanbae history list
  hanbae history list auth --env production --limit 5
  hanbae history list --live
  hanbae history list --output json""",
)
@click.argument("service", required=False, shell_complete=names.services)
@options.environment(required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Show at most this many.",
)
@click.option("--all", "everything", is_flag=True, help="Show refused attempts, too.")
@click.option("--live", is_flag=True, help="Show what others than hanbae have done, too.")
@options.output("text", "json")
@options.context()
@options.session
def listing(
    session: options.Session,
    *,
    service: str | None,
    environment: str | None,
    limit: int,
    everything: bool,
    live: bool,
    output: str,
    kube_context: str | None,
) -> int:
    """List deployments."""
    from hanbae import workspaces
    from hanbae.cli.text import tables

    with workspaces.opened(session.directory, context=kube_context) as space:
        if environment is not None:
            space.environment(environment)
        find = partial(space.store.listing, service=service, environment=environment)
        listed = find(limit=limit, refused=everything)
        rows = listed.deployments
        # Including refused attempts: if the newest one was refused and is not listed, a note below says so.
        newest = find(limit=1).deployments
        if service is not None and not (newest or listed.unreadable):
            _require_service(space, service)
        unwatched = [
            deployment.id
            for deployment in rows
            if deployment.outcome == "running" and not space.store.is_watched(deployment.id)
        ]
        others = outside.find(space, service, environment) if live else None
    if output == "json":
        document = {"deployments": rows, "unreadable": listed.unreadable}
        outputs.emit_json(document | ({"outside": others} if others else {}))
    elif rows:
        outputs.emit(tables.history(rows, unwatched))
    elif not listed.unreadable:
        session.narration.note(wording.Text("history.none"))
    if unwatched:
        session.narration.note(wording.Text("history.unwatched", {"deployment": unwatched[0]}))
    if newest and newest[0].outcome == "refused" and not everything:
        session.narration.note(wording.Text("history.refused-left-out"))
    code = outside.show(session, others, output) if others is not None else 0
    return max(code, unreadable.tell(session, listed.unreadable))


def _require_service(space: workspaces.Workspace, service: str) -> None:
    """Refuse a service that neither the working tree nor the history knows."""
    from hanbae.repository import services

    services.check(space.loaded, service)


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
def show(session: options.Session, deployment: str, output: str) -> int:
    """Show one deployment."""
    from hanbae import workspaces
    from hanbae.results import deployments as recorded

    with workspaces.opened(session.directory) as space:
        deployment = space.store.find(deployment)
        stream, damaged = space.store.record(deployment)
        is_watched = space.store.is_watched(deployment)
    # Where an event cannot be read, what the others add up to would be another deployment.
    total = None if damaged or not stream else recorded.fold(stream)
    if output == "json":
        outputs.emit_json({"deployment": total, "events": stream, "unreadable": damaged})
    elif output == "jsonl":
        for event in stream:
            outputs.emit_jsonl(event)
    else:
        _show(stream, total, is_watched=is_watched)
    return unreadable.tell(session, damaged)


def _show(
    stream: Sequence[events.Event], total: deployments.Deployment | None, *, is_watched: bool
) -> None:
    """Write a deployment's events, and what they add up to where all of them could be read."""
    from hanbae.cli.text import event_lines
    from hanbae.results import deployments, events

    if total is None and stream and isinstance(stream[0].fact, events.Opened):
        begun = deployments.fold(stream[:1])
        outputs.emit_text(_about(begun), indent="  ")
    if total is not None:
        outputs.emit_text(_headline(total, is_watched=is_watched), indent="  ")
        for text in _applied(total):
            outputs.emit_text(text, indent="  ")
    quoting = event_lines.Quoting()
    for event in stream:
        lines = quoting.lines(event)
        is_refused = total is not None and total.outcome == "refused"
        if is_refused and isinstance(event.fact, events.Opened):
            lines = iter((event_lines.attempted(event.fact, deployment=event.deployment),))
        for line in lines:
            if line.words != f"hanbae history show {event.deployment}":
                # That one was for who saw the end of the deployment only.
                _show_line(event, line)
    if total is not None and total.checklist:
        from hanbae.cli import checklist

        checklist.emit(checklist.of(total), "text")


def _show_line(event: events.Event, line: event_lines.Line) -> None:
    from hanbae.cli.text import event_lines

    moment = event.at.astimezone().strftime("%H:%M:%S")
    mark, color = event_lines.MARKS[line.meaning]
    head = f"{moment} {click.style(mark, fg=color or None)} "
    if line.meaning in event_lines.AS_WRITTEN:
        outputs.emit(head + line.words)
    else:
        outputs.emit_text(line.words, head=head, indent=" " * 11)


def _applied(deployment: deployments.Deployment) -> Iterator[str]:
    """What was applied, and how: by this two deployments of one commit are told from each other."""
    if deployment.manifests:
        yield catalogue.sentence(
            wording.Text("history.manifests", {"digest": deployment.manifests})
        )
    if deployment.synced_with:
        facts = {"options": ", ".join(deployment.synced_with)}
        yield catalogue.sentence(wording.Text("history.sync-options", facts))


def _about(deployment: deployments.Deployment, *outcome: str) -> str:
    opened = deployment.opened.astimezone().strftime("%Y-%m-%d %H:%M") if deployment.opened else ""
    parts = (
        deployment.id,
        f"{deployment.service} → {deployment.environment}",
        deployment.revision[:12],
        opened,
        *outcome,
    )
    return " · ".join(catalogue.printable(part) for part in parts if part)


def _headline(deployment: deployments.Deployment, *, is_watched: bool) -> str:
    outcome = catalogue.words(f"deploy.outcome-{deployment.outcome}")
    if deployment.outcome == "running" and not is_watched:
        outcome = catalogue.words("deploy.unwatched")
    return _about(deployment, outcome)
