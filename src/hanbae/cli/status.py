"""``hanbae status``: where every service stands in every environment, in one table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from hanbae import loops, wording
from hanbae.cli import interrupts, names, options, outputs, unreached, unreadable
from hanbae.cli.text import catalogue
from hanbae.results import drifts

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.results import standings

_MOST: Final = 20
"""Services and environments that are explained below the table; the rest is in the table and in JSON."""
_UNREAD: Final = 3
"""Records that cannot be read, of which a table that is drawn again and again says so."""
_DRIFTS: Final = 5
"""Objects of a service that are explained as changed by hand; the others are named."""
_SENTENCES: Final = {
    "behind": "status.is-behind",
    "unseen": "status.is-unseen",
    "drifted": "status.has-drifted",
    "busy": "status.is-busy",
    "progressing": "status.is-degraded",
    "degraded": "status.is-degraded",
}
_COMMANDS: Final = {
    "behind": ("hanbae", "deploy"),
    "drifted": ("hanbae", "plan"),
    "busy": ("hanbae", "doctor"),
    "progressing": ("hanbae", "rollout", "status"),
    "degraded": ("hanbae", "doctor"),
}
_PLAN: Final = ("hanbae", "plan")
"""What shows what an Application renders that git does not."""
_LONGEST: Final = 300


@click.command(
    cls=options.Command,
    help="""\
Show where every service stands in every environment.

One row for each service, one column for each environment: the version and the commit that run, and for how long;
below them the migrations that wait on the branch, a hold, a last deployment that did not succeed and the items of its
checklist that failed. Below the table, what is not as the branch says, with the next command.
--watch looks again every few seconds until Ctrl-C: a terminal is redrawn, a pipe gets a line for each change.
Exit code 4 where an environment cannot be reached; the others are shown all the same.""",
    epilog="""\
Examples:
  hanbae status
  hanbae status auth identity --env production
  hanbae status --watch
  hanbae status --output json""",
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=names.services)
@options.environment(required=False)
@click.option("-w", "--watch", "watches", is_flag=True, help="Look again and again, until Ctrl-C.")
@options.output("text", "json", "jsonl")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    watches: bool,
    output: str,
    kube_context: str | None,
) -> int:
    """Show it."""
    from hanbae import errors, workspaces
    from hanbae.actions import status

    if watches and output == "json":
        raise errors.WrongUse("status.endless-json")
    environments = (environment,) if environment else ()
    with workspaces.opened(session.directory, context=kube_context) as space:
        try:
            if watches:
                # It only ends by an interruption; the lines below are for a single look.
                loops.run(_watch(session, space, services, environments, output))
            listed = loops.run(status.status(space, services, environments))
        except KeyboardInterrupt:
            if watches:  # it has no other end, so none is missing
                return interrupts.INTERRUPTED
            raise
        now = space.clock()
    if output == "json":
        outputs.emit_json(listed)
    elif output == "jsonl":
        for standing in listed.standings:
            outputs.emit_jsonl(standing)
    elif listed.standings:
        _show(session, listed, now)
    unread = unreadable.tell(session, listed.unreadable)
    return max(unread, unreached.tell(session, listed.unreached))


async def _watch(
    session: options.Session,
    space: workspaces.Workspace,
    services: tuple[str, ...],
    environments: tuple[str, ...],
    output: str,
) -> None:
    """Show every change, until somebody ends it."""
    from hanbae.actions import status
    from hanbae.cli.text import live_table, standing_table
    from hanbae.results import standings

    redraws = output == "text" and sys.stdout.isatty()
    before = standings.Standings(())
    with ExitStack() as stack:
        screen = stack.enter_context(live_table.Redrawn()) if redraws else None
        async with aclosing(status.watch(space, services, environments)) as looks:
            async for listed in looks:
                now = space.clock()
                if screen is not None:
                    screen.draw("\n".join(_drawn(listed, now)))
                    continue
                for standing in standings.changed(before, listed):
                    if output == "jsonl":
                        outputs.emit_jsonl(standing)
                    else:
                        outputs.emit(standing_table.line(standing, listed, now))
                # Only what is new since the last look; it would be repeated every few seconds.
                unreadable.tell(
                    session,
                    [entry for entry in listed.unreadable if entry not in before.unreadable],
                )
                unreached.tell(
                    session,
                    [entry for entry in listed.unreached if entry not in before.unreached],
                )
                before = standings.remembered(before, listed)


def _drawn(listed: standings.Standings, now: datetime) -> Iterator[str]:
    """What a terminal shows of one look."""
    from hanbae.cli.text import standing_table

    yield standing_table.table(listed, now)
    yield from map(catalogue.sentence, _forbidden(listed))
    yield from (catalogue.sentence(record.why) for record in listed.unreadable[:_UNREAD])
    for entry in listed.unreached:
        facts = {"environment": entry.environment}
        yield catalogue.sentence(wording.Text("status.unreached", facts))
        yield f"  {catalogue.sentence(entry.why)}"
    facts = {"time": f"{now.astimezone():%H:%M:%S}"}
    yield catalogue.sentence(wording.Text("status.watched", facts))


def _show(session: options.Session, listed: standings.Standings, now: datetime) -> None:
    """Write the table, and below it what is not as the branch says, with the next command."""
    from hanbae.cli.text import standing_table

    outputs.emit(standing_table.table(listed, now))
    explained = [
        standing
        for standing in listed.standings
        if standing.state in _SENTENCES or standing.overrides or standing.drifts
    ]
    for standing in explained[:_MOST]:
        for line in _sentences(standing):
            outputs.emit_text(line, indent="  ")
    if len(explained) > _MOST:
        facts = {"count": str(len(explained) - _MOST)}
        session.narration.note(wording.Text("status.more", facts))
    for text in _forbidden(listed):
        session.narration.warn(text)
    for entry in listed.unread:
        session.narration.warn(wording.Text("status.unread", {"environment": entry.environment}))
        session.narration.note(entry.why)


def _forbidden(listed: standings.Standings) -> Iterator[wording.Text]:
    """What may not be deployed now, and why."""
    from hanbae.deploying import holding

    for held_service in listed.held:
        for hold in held_service.holds:
            text_id = "hold.of-revision" if hold.revision else "hold.of-all"
            yield wording.Text(
                text_id, holding.facts(hold, held_service.service, held_service.environment)
            )
    for frozen in listed.frozen:
        facts = {
            "environment": frozen.environment,
            "freeze": frozen.freeze,
            "reason": frozen.reason,
            "until": frozen.until,
        }
        yield wording.Text("freeze.holds", facts)


def _sentences(standing: standings.Standing) -> Iterator[str]:
    facts = {
        "service": standing.service,
        "environment": standing.environment,
        "deployed": standing.deployed[:12],
        "head": standing.head[:12],
        "objects": ", ".join(map(str, standing.differing)) or "-",
        "health": standing.health,
        "message": standing.message or "-",
    }
    if standing.state in _SENTENCES:
        yield catalogue.sentence(wording.Text(_SENTENCES[standing.state], facts))
    if standing.overrides:
        facts["names"] = ", ".join(standing.overrides)[:_LONGEST]
        yield catalogue.sentence(wording.Text("status.overrides", facts))
    for text in drifts.sentences(standing.drifts[:_DRIFTS]):
        yield catalogue.sentence(text)
    shows_plan = standing.overrides or standing.drifts
    words = _COMMANDS.get(standing.state) or (_PLAN if shows_plan else None)
    if words:
        yield "  → " + shlex.join([*words, standing.service, "--env", standing.environment])
