"""``hanbae status``: where every service stands in every environment, in one table."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from hanbae import wording
from hanbae.cli import interrupts, names, options, outputs, unreached
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.results import standings

_MOST: Final = 20
"""Services and environments that are explained below the table; the rest is in the table and in JSON."""
_CELLS: Final = {
    "current": "status.current",
    "behind": "status.behind",
    "unseen": "status.unseen",
    "drifted": "status.drifted",
    "busy": "status.busy",
    "progressing": "status.progressing",
    "degraded": "status.degraded",
    "absent": "status.absent",
    "unknown": "status.unknown",
}
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
_AGES: Final = ((86400, "status.days"), (3600, "status.hours"), (60, "status.minutes"))


@click.command(
    cls=options.Command,
    help="""\
Show where every service stands in every environment.

One row for each service, one column for each environment: the commit that runs, and for how long. Below it,
what is not as the branch says, with the next command.
Exit code 4 where an environment cannot be reached; the others are shown all the same.""",
    epilog="""\
Examples:
  hanbae status
  hanbae status auth identity --env production
  hanbae status --output json""",
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    output: str,
    kube_context: str | None,
) -> int:
    """Show it."""
    from hanbae import workspaces
    from hanbae.actions import status

    with workspaces.opened(session.directory, context=kube_context) as space:
        try:
            listed = asyncio.run(
                status.status(space, services, (environment,) if environment else ())
            )
        except KeyboardInterrupt:
            return interrupts.INTERRUPTED
        now = space.clock()
    if output == "json":
        outputs.emit_json(listed)
    elif listed.standings:
        outputs.emit(_table(listed, now))
        _explain(session, listed)
        _say_forbidden(session, listed)
    return unreached.tell(session, listed.unreached)


def _table(listed: standings.Standings, now: datetime) -> str:
    from hanbae.cli.text import tables

    columns: dict[str, list[str]] = {}
    for standing in listed.standings:
        columns.setdefault(standing.environment, []).append(_cell(standing, now))
    rows = list(dict.fromkeys(standing.service for standing in listed.standings))
    return tables.matrix(rows, columns, corner=catalogue.words("deploy.column-service"))


def _cell(standing: standings.Standing, now: datetime) -> str:
    facts = {"revision": standing.deployed[:7], "age": _age(standing.since, now)}
    words = catalogue.sentence(wording.Text(_CELLS[standing.state], facts))
    return catalogue.printable(words.strip())


def _age(since: str, now: datetime) -> str:
    """How long ago a time is, in its largest unit; empty where it is not one."""
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        return ""
    seconds = int((now - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds())
    for unit, text_id in _AGES:
        if seconds >= unit:
            return catalogue.sentence(wording.Text(text_id, {"count": str(seconds // unit)}))
    return catalogue.words("status.moments")


def _explain(session: options.Session, listed: standings.Standings) -> None:
    """Say what is not as the branch says, with the next command."""
    explained = [
        standing
        for standing in listed.standings
        if standing.state in _SENTENCES or standing.overrides
    ]
    for standing in explained[:_MOST]:
        for line in _sentences(standing):
            outputs.emit_text(line, indent="  ")
    if len(explained) > _MOST:
        facts = {"count": str(len(explained) - _MOST)}
        session.narration.note(wording.Text("status.more", facts))


def _say_forbidden(session: options.Session, listed: standings.Standings) -> None:
    """Say what may not be deployed now, and why."""
    from hanbae.deploying import holding

    for held in listed.held:
        for hold in held.holds:
            text_id = "hold.of-revision" if hold.revision else "hold.of-all"
            about = holding.facts(hold, held.service, held.environment)
            session.narration.warn(wording.Text(text_id, about))
    for frozen in listed.frozen:
        facts = {
            "environment": frozen.environment,
            "freeze": frozen.freeze,
            "reason": frozen.reason,
            "until": frozen.until,
        }
        session.narration.warn(wording.Text("freeze.holds", facts))


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
    words = _COMMANDS.get(standing.state) or (_PLAN if standing.overrides else None)
    if words:
        yield "  → " + shlex.join([*words, standing.service, "--env", standing.environment])
