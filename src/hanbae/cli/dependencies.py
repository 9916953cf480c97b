"""``hanbae dependencies``: the charts that services' charts depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hanbae import loops, wording
from hanbae.cli import names, options

if TYPE_CHECKING:
    from hanbae.results import dependencies


@click.group(cls=options.Group, help="Fetch the charts that services' charts depend on.")
def command() -> None:
    """Group the commands for dependencies."""


@command.command(
    "build",
    help="""\
Fetch the charts that Chart.lock names, once, into a cache that check, render and plan use.

It does what Argo CD has Helm do where dependencies are not in charts/: a Chart.lock that was written for other
dependencies is refused. Repositories are https:// and oci://; logins are those of helm and docker, and go to no other
host. With --check nothing is fetched and nobody is asked; the exit code is 1 where something is not here.""",
    epilog="""\
Examples:
  hanbae dependencies build
  hanbae dependencies build orders
  hanbae dependencies build --check --output json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@click.option(
    "--check", is_flag=True, help="Only say what is not here; exit 1 where that is something."
)
@options.output("text", "json")
@options.session
@click.pass_context
def build(
    context: click.Context,
    session: options.Session,
    *,
    services: tuple[str, ...],
    check: bool,
    output: str,
) -> None:
    """Fetch what is locked."""
    from hanbae.actions import fetch_dependencies

    charts = loops.run(
        fetch_dependencies.build(
            session.directory, services, check=check, say=session.narration.step
        )
    )
    _show(session, charts, output)
    if check and not all(chart.complete for chart in charts):
        context.exit(1)


@command.command(
    "update",
    help="""\
Choose the newest versions that Chart.yaml allows, fetch them, and write Chart.lock.

Versions are chosen, and the lock is written, as `helm dependency update` does. Commit Chart.lock: Argo CD fetches what
it names. With --dry-run the repositories are asked, but nothing is fetched or written.""",
    epilog="""\
Examples:
  hanbae dependencies update
  hanbae dependencies update orders
  hanbae dependencies update --dry-run""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@click.option("--dry-run", is_flag=True, help="Say what would be fetched and written; do neither.")
@options.output("text", "json")
@options.session
def update(
    session: options.Session, *, services: tuple[str, ...], dry_run: bool, output: str
) -> None:
    """Fetch the newest and lock it."""
    from hanbae.actions import fetch_dependencies

    charts = loops.run(
        fetch_dependencies.update(
            session.directory, services, dry_run=dry_run, say=session.narration.step
        )
    )
    _show(session, charts, output)


def _show(session: options.Session, charts: Sequence[dependencies.Chart], output: str) -> None:
    """Write the dependencies to stdout, and what became of locks to stderr."""
    from hanbae.cli import outputs
    from hanbae.cli.text import catalogue

    if output == "json":
        outputs.emit_json({"charts": charts})
    for chart in charts if output == "text" else ():
        for dependency in chart.dependencies:
            facts = {
                "chart": chart.chart,
                "name": dependency.name,
                "version": dependency.version or dependency.wanted or "-",
                "repository": dependency.repository or "charts/",
            }
            outputs.emit_text(
                catalogue.sentence(
                    wording.Text(f"dependencies.outcome-{dependency.outcome}", facts)
                ),
                indent="  ",
            )
    for chart in charts:
        facts = {"file": chart.lock_file, "service": chart.services[0]}
        if chart.lock == "written":
            session.narration.succeed(wording.Text("dependencies.lock-written", facts))
        elif chart.lock == "stale":
            session.narration.warn(wording.Text("dependencies.lock-stale", facts))
    if not charts:
        session.narration.note(wording.Text("dependencies.nothing"))
    elif all(chart.complete for chart in charts):
        session.narration.succeed(wording.Text("dependencies.complete"))
