"""``hanbae migrations``: what is pending in the databases of services, and what it will do there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from hanbae import errors, loops, masking, wording
from hanbae.cli import names, options, outputs, rehearse

if TYPE_CHECKING:
    from hanbae.results import migration_plans

_FORMATS: Final = ("text", "json", "sarif", "junit", "markdown")
_FAULTY: Final = 1
_CHANGES: Final = 3
_Verb = Callable[..., Any]


def _common(command: _Verb) -> _Verb:
    """The options of both verbs."""
    asks = click.option(
        "--database",
        "addresses",
        multiple=True,
        metavar="NAME=VARIABLE",
        help="Ask this database itself, read-only; its URL is in that variable of the environment.",
    )
    head = click.option(
        "--head", metavar="REV", help="Files of this git revision; else of the branch's head."
    )
    shared = asks(options.output(*_FORMATS)(options.context()(options.session(command))))
    return options.environment()(head(shared))


@click.group(
    cls=options.Group,
    help="Look at a service's migrations, and rehearse them.",
    epilog="""\
Examples:
  hanbae migrations status --env production
  hanbae migrations plan auth --env staging
  hanbae migrations rehearse auth --from production --rows 200000
  hanbae migrations plan auth --env staging --base origin/main --head HEAD --output markdown""",
)
def command() -> None:
    """Group the verbs of migrations."""


command.add_command(rehearse.command, "rehearse")


@command.command(
    "plan",
    help="""\
Show what the pending migrations of services do, statement by statement, and run none.

Per database, in order: the files that it lacks, whether each runs in a transaction, what each statement does to which
table, the lock that it takes and what that keeps others from, for how long, and which way leads back. What a database
has is known from its last proof; with --database it is asked itself, and its tables for their size; with --base it is
what that revision has, without a cluster. Sizes and locks are those of PostgreSQL.""",
    epilog="""\
Examples:
  hanbae migrations plan auth --env staging
  hanbae migrations plan auth --env production --database auth_db=AUTH_URL
  hanbae migrations plan --env staging --base origin/main --head HEAD --output markdown""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@_common
@click.option("--base", metavar="REV", help="Databases have what this git revision has.")
@click.option("--exit-code", "tells", is_flag=True, help="Leave with 3 when something is pending.")
def plan(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str,
    base: str | None,
    head: str | None,
    addresses: tuple[str, ...],
    tells: bool,
    output: str,
    kube_context: str | None,
) -> int:
    """Plan."""
    if base is not None and addresses:
        raise errors.WrongUse("migrations.base-and-database")
    plans = _planned(
        session,
        services,
        environment,
        head=head,
        base=base,
        addresses=addresses,
        kube_context=kube_context,
    )
    _show(plans, output, details=True)
    databases = [database for plan in plans for database in plan.databases]
    if output == "text" and all(database.pending == () for database in databases):
        session.narration.succeed(wording.Text("migrations.nothing", {"environment": environment}))
    if any(plan.is_faulty for plan in plans):
        return _FAULTY
    return _CHANGES if tells and any(database.pending for database in databases) else 0


@command.command(
    "status",
    help="""\
Show where the databases of services stand: what each has, lacks, and has without a file.

Leaves with 1 where goose would refuse to go on, or an index was left unfinished. A database that is asked is only
read: where there is no table of versions yet, none is created.""",
    epilog="""\
Examples:
  hanbae migrations status --env production
  hanbae migrations status auth --env staging --database auth_db=AUTH_URL""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@_common
def status(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str,
    head: str | None,
    addresses: tuple[str, ...],
    output: str,
    kube_context: str | None,
) -> int:
    """Show where they stand."""
    plans = _planned(
        session,
        services,
        environment,
        head=head,
        addresses=addresses,
        kube_context=kube_context,
    )
    _show(plans, output, details=False)
    return _FAULTY if any(plan.is_faulty for plan in plans) else 0


def _planned(
    session: options.Session,
    services: Sequence[str],
    environment: str,
    *,
    head: str | None,
    base: str | None = None,
    addresses: Sequence[str],
    kube_context: str | None,
) -> tuple[migration_plans.Plan, ...]:
    from hanbae import workspaces
    from hanbae.actions import plan_migrations

    urls = _urls(addresses)
    with workspaces.opened(session.directory, context=kube_context) as space:
        # Before anything is fetched. What one commit has is known without that, and says better what is missing.
        space.refuse_unknown(services if head is None else (), environment)
        return loops.run(
            plan_migrations.plan(space, services, environment, head=head, base=base, addresses=urls)
        )


def _urls(addresses: Sequence[str]) -> Mapping[str, masking.Masked]:
    """Database → its URL, which only a variable of the environment may hold."""
    urls = {}
    for words in addresses:
        name, equals, variable = words.partition("=")
        if not (name and equals and variable) or "://" in words:
            raise errors.WrongUse("migrations.address-form")  # it may hold a password
        value = os.environ.get(variable)
        if not value:
            raise errors.WrongUse("migrations.address-unset", variable=variable, database=name)
        urls[name] = masking.Masked(value.encode())
    return urls


def _show(plans: Sequence[migration_plans.Plan], output: str, *, details: bool) -> None:
    if output == "json":
        outputs.emit_json({"plans": plans})
        return
    from hanbae.cli.reports import migrations

    if output == "text":
        for head, words, indent in migrations.lines(plans, details=details):
            outputs.emit_text(words, head=head, indent=indent)
    else:
        written = {
            "sarif": migrations.sarif,
            "junit": migrations.junit,
            "markdown": migrations.markdown,
        }[output]
        outputs.emit(written(plans))
