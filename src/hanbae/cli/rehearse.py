"""``hanbae migrations rehearse``: what migrations will do, measured before anybody waits for them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.actions import rehearse
    from hanbae.cli.text import narration
    from hanbae.rehearsing import servers
    from hanbae.results import rehearsals

_FAILED = 1


@click.command(
    cls=options.Command,
    help="""\
Run a service's migrations on a PostgreSQL that nobody needs, and tell what they do.

Up from nothing, and once more, which must change nothing; back one by one, each applied again, with the schema
compared; up from what each environment has. Each migration runs alone, with the real goose: how long it takes, which
locks keep others waiting, and which tables are written anew.

The server is thrown away afterwards. With --url a copy of a real database is copied once more, and that copy is
migrated; what you name is not changed. Exit code 1 where something is wrong.""",
    epilog="""\
Examples:
  hanbae migrations rehearse auth
  hanbae migrations rehearse auth --from production --rows 200000
  hanbae migrations rehearse auth --url postgres://kim@localhost/auth_copy --database auth_db
  hanbae migrations rehearse auth --output markdown""",
)
@click.argument("service", shell_complete=names.services)
@click.option(
    "--from",
    "starts",
    multiple=True,
    metavar="ENV",
    shell_complete=names.environments,
    help="Begin with what this environment has; repeatable, all of them if not given.",
)
@click.option(
    "--revision", metavar="REV", default="", help="Read this commit instead of the working tree."
)
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="Rows that each table gets before what an environment has not.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each migration may take.",
)
@click.option(
    "--url",
    default="",
    metavar="URL",
    help="Copy this database of your own server, without its password: ~/.pgpass has it, or --password-stdin.",
)
@click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password of --url from stdin."
)
@click.option("--database", default="", metavar="NAME", help="Only this database of the service.")
@options.output("text", "json", "markdown")
@options.insecure()
@options.session
def command(
    session: options.Session,
    *,
    service: str,
    starts: tuple[str, ...],
    revision: str,
    rows: int,
    budget: float,
    url: str,
    from_stdin: bool,
    database: str,
    output: str,
    insecure: bool,
) -> int:
    """Rehearse."""
    from hanbae import workspaces
    from hanbae.actions import rehearse

    settings = _settings(url)
    request = rehearse.Request(
        service,
        revision,
        starts,
        database=database,
        rows=rows,
        budget=budget,
        copy=settings.get("dbname", ""),
    )
    with workspaces.opened(session.directory, insecure=insecure) as space:
        read = loops.run(rehearse.read(space, request))
    for text in read.notices:
        session.narration.warn(text)
    if url and len(read.databases) > 1:
        raise errors.WrongUse("rehearsal.which-database", existing=", ".join(read.databases))
    try:
        rehearsal = _rehearsed(session.narration, read, settings, from_stdin=from_stdin)
    except KeyboardInterrupt:
        session.narration.warn(wording.Text("rehearsal.interrupted"))
        raise
    _show(rehearsal, output)
    return _FAILED if rehearsal.failed else 0


def _rehearsed(
    speaker: narration.Narration,
    read: rehearse.Read,
    settings: dict[str, str],
    *,
    from_stdin: bool,
) -> rehearsals.Rehearsal:
    from hanbae.actions import rehearse

    with (
        tempfile.TemporaryDirectory(prefix="hanbae-migrations-") as folder,
        _server(speaker, settings, from_stdin=from_stdin) as (server, program),
    ):
        return rehearse.rehearse(read, server, program, Path(folder), speaker.step)


@contextmanager
def _server(
    speaker: narration.Narration, settings: dict[str, str], *, from_stdin: bool
) -> Iterator[tuple[servers.Server, Path]]:
    """A server of our own, or the user's; and goose."""
    from hanbae import masking
    from hanbae.cli import sandbox
    from hanbae.rehearsing import servers
    from hanbae.sandbox import rehearsal_server

    progress = sandbox.Narrated(speaker)
    if not settings:
        with rehearsal_server.running(progress) as running:
            yield running
        return
    password = None
    if from_stdin:
        password = masking.Masked(sys.stdin.buffer.readline().rstrip(b"\r\n"))
    # The database to copy is in the request (`copy`); the connection to the server is for several.
    others = {key: value for key, value in settings.items() if key != "dbname"}
    yield servers.Server(others, password), rehearsal_server.goose(progress)


def _settings(url: str) -> dict[str, str]:
    """What a URL says, for libpq.

    Raises:
        hanbae.errors.WrongUse: It is none, names no database, or has a password in it, which everybody could see.
    """
    if not url:
        return {}
    try:
        import psycopg
        from psycopg import conninfo
    except ImportError as error:
        raise errors.Lacking("sandbox.needs-extra", module="psycopg") from error
    try:
        settings = {key: str(value) for key, value in conninfo.conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError as error:
        raise errors.WrongUse("rehearsal.no-url") from error
    if "password" in settings:
        raise errors.WrongUse("rehearsal.password-in-url")
    if not settings.get("dbname"):
        raise errors.WrongUse("rehearsal.no-url")
    return settings


def _show(rehearsal: rehearsals.Rehearsal, output: str) -> None:
    if output == "json":
        outputs.emit_json(rehearsal)
        return
    from hanbae.cli.text import rehearsal_lines

    if output == "markdown":
        outputs.emit(rehearsal_lines.markdown(rehearsal))
        return
    for line in rehearsal_lines.lines(rehearsal):
        outputs.emit_text(catalogue.printable(line.words), head=line.head, indent=line.indent)
