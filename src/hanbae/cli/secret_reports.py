"""``hanbae secrets report`` and ``hanbae secrets backup verify``: what is due, and what a backup is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, needed_keys, nothing, options

if TYPE_CHECKING:
    from hanbae.results import secrets

_SHORT: Final = 12


@click.command(
    "report",
    cls=options.Command,
    help="""\
Show how old each sealed value is, and which are due: by their age, for a leaked key, for a departed person.

git's history tells it, without a cluster; a value that was only sealed anew keeps its age.
Exit code 1 if any is due by secrets.max_age, --leaked or --departed.""",
    epilog="""\
Examples:
  hanbae secrets report
  hanbae secrets report auth --env production --output json
  hanbae secrets report --departed mina@example.com
  hanbae secrets report --leaked sha256:7c9e6f21d0aa4b1c""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@click.option(
    "--leaked",
    multiple=True,
    metavar="FINGERPRINT",
    help="Certificate whose private key others may have: every value that was ever sealed for it is due.",
)
@click.option(
    "--departed",
    multiple=True,
    metavar="EMAIL",
    help="Person who is to know nothing any more: every value that this person committed is due.",
)
@options.output("text", "json")
@options.session
def report(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    leaked: tuple[str, ...],
    departed: tuple[str, ...],
    output: str,
) -> int:
    """Report ages; 1 if a value is due, 2 if a file cannot be read."""
    from hanbae.actions import broken_files, report_secrets
    from hanbae.cli import outputs

    if report_secrets.are_external(session.directory):
        return _external(session, services, environment, (*leaked, *departed), output)
    broken: list[errors.FileFault] = []
    rows = report_secrets.report(
        session.directory,
        services,
        environment=environment,
        leaked=leaked,
        departed=departed,
        broken=broken,
    )
    if broken and not rows:
        raise broken[0]
    if output == "json":
        outputs.emit_json({"keys": rows, "unread": broken_files.unread(broken)})
    else:
        _show(rows)
    session.narration.faults(broken)
    if not rows:
        nothing.tell(session, "report.nothing")
        return 0
    due = [row for row in rows if row.due]
    _conclude(session, rows, due, is_whole=not broken)
    if broken:
        return 2
    return 1 if due else 0


def _conclude(
    session: options.Session,
    rows: Sequence[secrets.DatedKey],
    due: Sequence[secrets.DatedKey],
    *,
    is_whole: bool,
) -> None:
    """Say how many values are due, and with which commands they become others."""
    if not due:
        if is_whole:
            session.narration.succeed(wording.Text("report.none-due", {"count": str(len(rows))}))
        return
    session.narration.fail(wording.Text("report.due", {"count": str(len(due))}))
    if any("leaked" in row.due for row in due):
        session.narration.note(wording.Text("report.leaked"))
    for cure in cures(due):
        session.narration.note(cure)


def _external(
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    suspects: tuple[str, ...],
    output: str,
) -> int:
    """Where values are that are in a store: how old they are, and who knows them, only the store can tell."""
    if suspects:
        raise errors.Refused("report.in-a-store")
    broken: list[errors.FileFault] = []
    needed_keys.show(session, services, environment, broken, output)
    session.narration.note(wording.Text("report.ages-of-store"))
    return 2 if broken else 0


def cures(rows: Sequence[secrets.DatedKey]) -> Iterator[wording.Text]:
    """The command that seals new values, for each service and environment."""
    import shlex

    keys: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        keys.setdefault((row.service, row.environment), []).append(row.key)
    for (service, environment), due in keys.items():
        facts = {"service": service, "environment": environment, "keys": shlex.join(due)}
        yield wording.Text("seal.verified-cure", facts)


def _show(rows: Sequence[secrets.DatedKey]) -> None:
    from hanbae.cli import outputs
    from hanbae.cli.text import catalogue, wrapping

    cells = [
        [catalogue.printable(text) for text in (row.service, row.environment, row.key)]
        for row in rows
    ]
    widths = [max(map(wrapping.cells, column)) for column in zip(*cells, strict=True)]
    for row, texts in zip(rows, cells, strict=True):
        columns = [wrapping.pad(text, width) for text, width in zip(texts, widths, strict=True)]
        outputs.emit_text(
            catalogue.sentence(_age(row)), head="  ".join([*columns, ""]), indent=" " * 4
        )
        for reason in _reasons(row):
            outputs.emit_text(catalogue.sentence(reason), head="    ", indent=" " * 4)


def _age(row: secrets.DatedKey) -> wording.Text:
    if not row.commit:
        return wording.Text("report.not-committed")
    facts = {"days": str(row.days), "author": row.author, "commit": row.commit[:_SHORT]}
    return wording.Text("report.age", facts)


def _reasons(row: secrets.DatedKey) -> Iterator[wording.Text]:
    texts = {
        "age": wording.Text("report.due-age", {"limit": row.max_age}),
        "leaked": wording.Text("report.due-leaked"),
        "departed": wording.Text("report.due-departed"),
    }
    yield from (texts[reason] for reason in row.due)


@click.group("backup", cls=options.Group, help="Look after backups of the controller's keys.")
def backup() -> None:
    """Group the commands for backups."""


@backup.command(
    "verify",
    help="""\
Try whether a backup of the controller's keys opens everything that is sealed in git.

The values are opened in memory and shown to nobody: those of the files as they are checked out,
and those of each environment's branch as it was last fetched. Exit code 1 if one is not opened.""",
    epilog="""\
Examples:
  hanbae secrets backup verify /dev/shm/sealing-keys.yaml
  hanbae secrets backup verify keys.yaml --env production --output json""",
)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json")
@options.session
def verify(
    session: options.Session,
    *,
    file: Path,
    services: tuple[str, ...],
    environment: str | None,
    output: str,
) -> int:
    """Verify a backup; 1 if it does not open everything, 2 if a file cannot be read."""
    from hanbae.actions import reseal_templates, verify_backup
    from hanbae.cli import outputs, resealing
    from hanbae.cli.text import catalogue

    keys = resealing.opened(file)
    broken: list[errors.FileFault] = []
    templates = loops.run(
        reseal_templates.read(session.directory, services, environment, broken=broken)
    )
    result = verify_backup.verify(
        session.directory,
        keys,
        services,
        environment=environment,
        templates=templates,
        broken=broken,
    )
    if not result.values:
        raise broken[0] if broken else errors.WrongUse("backup.nothing-sealed")
    closed = [value for value in result.values if not value.opened]
    if output == "json":
        outputs.emit_json(result)
    for value in closed if output == "text" else ():
        where = {"revision": value.revision, "file": value.file}
        head = catalogue.printable(f"{value.service}  {value.environment}  {value.key}  ")
        text_id = "backup.unopened-on-branch" if value.revision else "backup.unopened"
        outputs.emit_text(
            catalogue.sentence(wording.Text(text_id, where)), head=head, indent="    "
        )
    for fingerprint in result.unknown:
        session.narration.note(wording.Text("backup.unknown", {"certificate": fingerprint}))
    session.narration.faults(broken)
    facts = {"keys": str(len(keys)), "count": str(len(closed)), "all": str(len(result.values))}
    if closed:
        session.narration.fail(wording.Text("backup.opens-some", facts))
    elif broken:
        session.narration.warn(wording.Text("backup.opens-readable", facts))
    else:
        session.narration.succeed(wording.Text("backup.opens-all", facts))
    if broken:
        return 2
    return 1 if closed else 0
