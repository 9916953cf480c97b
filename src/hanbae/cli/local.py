"""``hanbae local``: the local environment in Docker Compose."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hanbae import errors, loops, masking, wording
from hanbae.cli import names, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.local.composition import SecretKey
    from hanbae.results import compositions

_services = click.argument(
    "services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services
)


@click.group(
    cls=options.Group,
    help="Run the services on this machine, in Docker Compose, as the charts run them in a cluster.",
    epilog="""\
Examples:
  hanbae local up
  hanbae local status
  hanbae local logs auth --follow
  hanbae local down""",
)
def command() -> None:
    """Group what there is to do with the local environment."""


@command.command(
    "up",
    help="""\
Start the services, the servers that they need and their migrations, and wait until all are ready.

Writes compose.yaml anew, and the secrets that are missing into .hanbae/local/secrets, which git ignores: addresses of
the local databases, and random values for the rest. Edit them there, or let --ask ask for them. Run again, it changes
only what is not as the charts have it. With SERVICE, only that and what it depends on.""",
    epilog="""\
Examples:
  hanbae local up
  hanbae local up auth --build
  hanbae local up --ask""",
)
@_services
@click.option(
    "--build",
    is_flag=True,
    help="Build images from the repository's Dockerfiles, instead of those that the charts name.",
)
@click.option(
    "--ask", is_flag=True, help="Ask for secrets that are missing; an empty answer makes one up."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give up waiting after this long; default: rollout.deadline of the policy.",
)
@options.output("text", "json")
@options.session
def up(  # noqa: PLR0917  click passes them by name
    session: options.Session,
    services: tuple[str, ...],
    build: bool,
    ask: bool,
    timeout: float | None,
    output: str,
) -> int:
    """Start."""
    from hanbae.actions import run_local

    if ask and not sys.stdin.isatty():
        raise errors.WrongUse("local.no-terminal")
    speaker = session.narration
    try:
        local = run_local.up(
            session.directory,
            services,
            build=build,
            timeout=timeout,
            asking=_prompt if ask else None,
            telling=speaker.step,
            logging=lambda line: speaker.line(f"  {catalogue.printable(line)}"),
        )
    except KeyboardInterrupt:
        speaker.note(wording.Text("local.interrupted"))
        raise
    _show(local, output)
    speaker.succeed(wording.Text("local.up", {"count": str(len(local.services))}))
    return 0


@command.command(
    "down",
    help="""\
Stop everything; the databases keep their data.

With --volumes the data goes as well. Secrets stay in .hanbae/local/secrets either way.""",
    epilog="""\
Examples:
  hanbae local down
  hanbae local down --volumes""",
)
@click.option("--volumes", is_flag=True, help="Delete the databases' data as well.")
@options.session
def down(session: options.Session, volumes: bool) -> int:
    """Stop."""
    from hanbae.actions import run_local

    run_local.down(session.directory, volumes=volumes)
    session.narration.succeed(wording.Text("local.down-volumes" if volumes else "local.down"))
    return 0


@command.command(
    "logs",
    help="Show what the services write; what is secret here is masked.",
    epilog="""\
Examples:
  hanbae local logs
  hanbae local logs auth --follow
  hanbae local logs identity-service-migrate-auth-db --tail 50""",
)
@_services
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each."
)
@options.session
def logs(
    session: options.Session, services: tuple[str, ...], follow: bool, tail: int | None
) -> int:
    """Show logs."""
    from hanbae.actions import run_local

    for line in run_local.logs(session.directory, services, follow=follow, tail=tail):
        outputs.emit(catalogue.printable(line))
    return 0


@command.command(
    "status",
    help="""\
Show what runs, how its probes find it, and where it is reached.

Exit with 1 where something that should run does not, or is not healthy.""",
    epilog="""\
Examples:
  hanbae local status
  hanbae local status --output json""",
)
@options.output("text", "json")
@options.session
def status(session: options.Session, output: str) -> int:
    """Show what runs."""
    from hanbae.actions import run_local

    local = run_local.status(session.directory)
    _show(local, output)
    if local.stale:
        session.narration.warn(wording.Text("local.stale"))
    return 0 if all(map(_is_well, local.services)) else 1


@command.command(
    "check",
    help="""\
Compare the Compose file, whoever wrote it, with what the charts ask for.

Images, names of variables, secrets in clear, ports, probes, memory and CPU, the database's major version and the order
of migrations; exit with 1 where they differ. What Compose cannot do is said beside it. Needs no Docker, unless there is
an override to merge.""",
    epilog="""\
Examples:
  hanbae local check
  hanbae local check --output json""",
)
@options.output("text", "json")
@options.session
def check(session: options.Session, output: str) -> int:
    """Compare."""
    from hanbae.actions import generate_compose
    from hanbae.cli.text import parity_lines

    parity = loops.run(generate_compose.check_parity(session.directory))
    if output == "json":
        outputs.emit_json(parity)
    parity_lines.tell(session.narration, parity)
    return 1 if parity.differences else 0


def _show(local: compositions.Local, output: str) -> None:
    if output == "json":
        outputs.emit_json(local)
        return
    from hanbae.cli.text import tables

    rows = local.services
    columns = {
        "local.column-state": [_state(row) for row in rows],
        "local.column-address": [", ".join(row.addresses) for row in rows],
    }
    outputs.emit(
        tables.matrix(
            [row.name for row in rows],
            {catalogue.words(heading): cells for heading, cells in columns.items()},
            corner=catalogue.words("local.column-service"),
        )
    )


def _state(row: compositions.Running) -> str:
    """A state in Docker's own words, which its other commands show as well."""
    if row.health:
        return f"{row.state} ({row.health})"
    return f"{row.state} ({row.exit_code})" if row.exit_code is not None else row.state


def _is_well(row: compositions.Running) -> bool:
    # A migration's container runs once; that it has ended is right if it ended with 0.
    if row.state == "exited":
        return row.exit_code == 0
    return row.state == "running" and row.health in {"", "healthy"}


def _prompt(key: SecretKey) -> masking.Masked | None:
    facts = {"key": f"{key.secret}/{key.key}"}
    answer: str = click.prompt(
        catalogue.sentence(wording.Text("local.ask", facts)),
        hide_input=True,
        default="",
        show_default=False,
        err=True,
    )
    return masking.Masked(answer.encode("utf-8", "surrogateescape")) if answer else None
