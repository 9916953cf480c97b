"""``hanbae history dora``: how fast and how safely the team delivers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, wording
from hanbae.cli import names, options, outputs, unreadable
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.results import measures

_USUAL: Final = timedelta(days=30)
_WIDE: Final = 72
"""Columns that the whole table needs."""
_MOST: Final = 20
"""Failures that are listed; JSON has all of them."""
_UNITS: Final = ((86400, "status.days"), (3600, "status.hours"), (60, "status.minutes"))


def between(
    first: datetime | None, last: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The time of two days in this machine's time zone, the last one included.

    Args:
        first: The first day; None for thirty days before the end.
        last: The last day; None for now.
        now: The time.

    Raises:
        hanbae.errors.WrongUse: The last day is before the first.
    """
    # Adding the day before the zone keeps midnight: where clocks change, a day has 23 or 25 hours.
    until = now if last is None else (last + timedelta(days=1)).astimezone()
    since = until - _USUAL if first is None else first.astimezone()
    if since >= until:
        raise errors.WrongUse("history.backwards")
    return since.astimezone(UTC), until.astimezone(UTC)


day_options = (
    click.option(
        "--from",
        "first",
        type=click.DateTime(["%Y-%m-%d"]),
        metavar="DAY",
        help="First day, such as 2026-11-01; default thirty days ago.",
    ),
    click.option(
        "--to",
        "last",
        type=click.DateTime(["%Y-%m-%d"]),
        metavar="DAY",
        help="Last day, which is included; default now.",
    ),
)


@click.command(
    "dora",
    cls=options.Command,
    help="""\
Measure how fast and how safely changes are delivered: the four measures of DORA.

Counts changes of a service, not deployments: a change that is tried three times fails once, and a commit that
changes nothing of a service is none of its changes. A change that is taken back within --rollback-within hours
has failed, and so has one whose migration failed. Lead time begins with the first commit of a change.
docs/history.md has the definitions.""",
    epilog="""\
Examples:
  hanbae history dora
  hanbae history dora --env production --from 2026-10-01 --to 2026-10-31
  hanbae history dora --output openmetrics""",
)
@click.argument("service", required=False, shell_complete=names.services)
@options.environment(required=False)
@day_options[0]
@day_options[1]
@click.option(
    "--rollback-within",
    type=click.IntRange(1, 720),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="A change that is taken back within so many hours has failed.",
)
@options.output("text", "json", "openmetrics")
@options.session
def command(
    session: options.Session,
    *,
    service: str | None,
    environment: str | None,
    first: datetime | None,
    last: datetime | None,
    rollback_within: int,
    output: str,
) -> int:
    """Measure it."""
    from hanbae import workspaces
    from hanbae.actions import measure_delivery
    from hanbae.repository import services

    with workspaces.opened(session.directory) as space:
        if environment is not None:
            space.environment(environment)
        since, until = between(first, last, space.clock())
        measured = measure_delivery.measure(
            space,
            service=service,
            environment=environment,
            since=since,
            until=until,
            rollback_hours=rollback_within,
        )
        # A service that has left the repository is still known by its records.
        if service is not None and not (measured.deliveries or measured.unreadable):
            services.check(space.loaded, service)
    if output == "json":
        outputs.emit_json(measured)
    elif output == "openmetrics":
        from hanbae.cli.reports import openmetrics

        outputs.document(openmetrics.text(measured))
    elif measured.deliveries:
        _show(session, measured)
    elif not measured.unreadable:
        session.narration.note(wording.Text("history.none"))
    return unreadable.tell(session, measured.unreadable)


def _show(session: options.Session, measured: measures.Measures) -> None:
    from hanbae.cli.text import tables

    facts = {"since": _day(measured.since), "until": _moment(measured.until)}
    outputs.emit_text(catalogue.sentence(wording.Text("history.dora-time", facts)))
    totals = [delivery for delivery in measured.deliveries if not delivery.service]
    narrow = shutil.get_terminal_size((_WIDE, 24)).columns < _WIDE
    columns = {
        catalogue.words(f"history.column-{name}"): [cell(delivery) for delivery in totals]
        for name, cell in _CELLS.items()
        if not (narrow and name == "per-day")
    }
    corner = catalogue.words("deploy.column-environment")
    outputs.emit(tables.matrix([total.environment for total in totals], columns, corner=corner))
    for failure in measured.failures[:_MOST]:
        outputs.emit_text(_failure(failure), indent="  ")
    if len(measured.failures) > _MOST:
        count = {"count": str(len(measured.failures) - _MOST)}
        session.narration.note(wording.Text("history.more-failures", count))


def _failure(failure: measures.Failure) -> str:
    facts = {
        "when": _moment(failure.began),
        "service": failure.service,
        "environment": failure.environment,
        "revision": failure.revision[:12],
        "deployment": failure.deployment,
    }
    sentence = catalogue.sentence(wording.Text(f"history.change-{failure.how}", facts))
    if failure.restored is None:
        return f"{sentence} {catalogue.words('history.unrestored')}"
    span = {"span": _span((failure.restored - failure.began).total_seconds())}
    return f"{sentence} {catalogue.sentence(wording.Text('history.restored', span))}"


def _span(seconds: float | None) -> str:
    """A time in its two largest units; ``-`` where there is none."""
    if seconds is None:
        return "-"
    remaining, parts = int(seconds), []
    for unit, text_id in _UNITS:
        count, remaining = divmod(remaining, unit)
        if count:
            parts.append(catalogue.sentence(wording.Text(text_id, {"count": str(count)})))
    return " ".join(parts[:2]) or catalogue.words("history.under-a-minute")


def _rate(delivery: measures.Delivery) -> str:
    if delivery.failure_rate is None:
        return "-"
    return f"{delivery.failure_rate:.0%} ({delivery.failed}/{delivery.tried})"


_CELLS: Final[dict[str, Callable[[measures.Delivery], str]]] = {
    "changes": lambda delivery: str(delivery.changes),
    "per-day": lambda delivery: f"{delivery.per_day:.2g}",
    "lead": lambda delivery: _span(delivery.lead_median),
    "failure-rate": _rate,
    "restore": lambda delivery: _span(delivery.restore_median),
}


def _day(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d")


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
