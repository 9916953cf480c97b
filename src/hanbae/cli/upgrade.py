"""``hanbae upgrade``: later chart templates in services that have edited theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hanbae import errors, wording
from hanbae.cli import names, options, outputs

if TYPE_CHECKING:
    from hanbae.results import files


@click.command(
    cls=options.Command,
    help="""\
Bring the chart templates of this hanbae, and what hanbae.yaml says now, into services that have edited theirs.

Each file is merged by git's algorithm from three versions: what was scaffolded, what became of it here, what is
scaffolded now. Without SERVICE, in all services that keep what was scaffolded. Where an edit contradicts it, the
service is left as it is and the conflict shown. Values of environments and migrations are never touched.""",
    epilog="""\
Examples:
  hanbae upgrade --dry-run
  hanbae upgrade auth
  hanbae upgrade auth --write-conflicts
  hanbae upgrade auth --base v1.0.0
  hanbae upgrade --check --output json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option(
    "--check",
    is_flag=True,
    help="Show what would change and write nothing; exit with 1 when a service is behind.",
)
@click.option(
    "--write-conflicts",
    is_flag=True,
    help="Where edits conflict, write both versions between git's markers, for you to resolve.",
)
@click.option("--allow-dirty", is_flag=True, help="Change files with uncommitted changes as well.")
@click.option(
    "--base",
    metavar="REV",
    help="Commit with the files as they were scaffolded, for services that keep no record of it.",
)
@options.output("text", "json")
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    dry_run: bool,
    check: bool,
    write_conflicts: bool,
    allow_dirty: bool,
    base: str | None,
    output: str,
) -> int:
    """Upgrade, or say what would be."""
    if write_conflicts and (dry_run or check):
        raise errors.WrongUse("upgrade.writes-nothing")

    from hanbae.actions import upgrade
    from hanbae.cli.reports import file_changes
    from hanbae.results import files

    settings = upgrade.Options(
        base, write=not (dry_run or check), dirty=allow_dirty, markers=write_conflicts
    )
    upgrades = upgrade.upgrade(session.directory, services, settings)
    if output == "json":
        outputs.emit_json(files.Upgrades(upgrades))
    else:
        file_changes.show_upgrades(upgrades)
    return _tell(session, upgrades, check=check)


def _tell(session: options.Session, upgrades: tuple[files.Upgrade, ...], *, check: bool) -> int:
    """Say how it ended, and what is next; the exit code."""
    by_outcome: dict[str, list[str]] = {}
    for entry in upgrades:
        by_outcome.setdefault(entry.outcome, []).append(entry.service)
    narration = session.narration
    tell = {"upgraded": narration.succeed, "behind": narration.fail if check else narration.note}
    for outcome, services in by_outcome.items():
        facts = {"services": " ".join(services), "count": str(len(services))}
        text = {
            "current": wording.Text("upgrade.current", facts),
            "upgraded": wording.Text("upgrade.upgraded", facts),
            "behind": wording.Text("upgrade.behind", facts),
            "conflicting": wording.Text("upgrade.conflicting", facts),
            "marked": wording.Text("upgrade.marked", facts),
        }[outcome]
        if outcome != "current":
            tell.get(outcome, narration.fail)(text)
        elif len(services) == len(upgrades):
            narration.succeed(text)
    failed = {"marked", "conflicting", *(["behind"] if check else [])}
    return 1 if by_outcome.keys() & failed else 0
