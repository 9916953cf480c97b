"""``hanbae rollback``: an older commit of a service comes back, and its databases with it."""

from __future__ import annotations

import click

from hanbae import loops
from hanbae.cli import names, notices, options


@click.command(
    cls=options.Command,
    help="""\
Go back to an older commit of a service, with the schema that it knows.

First the plan is shown: what each database takes back, what is lost by it, and how the older code returns.
Nothing is changed where a database cannot go back so far: a migration without a Down part is a boundary, and the
nearest commit on this side of it is named.

Then the present commit is held, goose takes the migrations back in the present image, the older commit is deployed,
and goose is asked what the databases have. Where Argo CD follows the branch by itself, git is reverted instead: the
commit is written on a branch of its own, and with a login at the forge (as for hanbae promote) it is pushed and its
merge request opened; without one it is for you to push and to have merged.

With --dry-run and --head it is asked of a merge request whether it could be gone back from: no cluster is asked, and
the exit code is 1 where a database could not.""",
    epilog="""\
Examples:
  hanbae rollback auth --env staging --dry-run
  hanbae rollback auth --env production --why "Logins fail"
  hanbae rollback auth --env production --revision 3f2c1ab --accept-data-loss
  hanbae rollback auth --env production --dry-run --head HEAD --base origin/main --output markdown""",
)
@click.argument("service", shell_complete=names.services)
@options.environment()
@click.option(
    "--revision",
    metavar="REV",
    default="",
    help="Go back to this commit instead of the last one that succeeded before.",
)
@click.option("--why", metavar="REASON", default="", help="Why; whoever is refused reads it.")
@click.option(
    "--accept-data-loss",
    "loses",
    is_flag=True,
    help="Take migrations back although rows, columns or tables are lost by it.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Show the plan and change nothing.")
@click.option(
    "--head",
    metavar="REV",
    default="",
    help="With --dry-run: whether this git revision could be gone back from, once it is deployed.",
)
@click.option(
    "--base",
    metavar="REV",
    default="",
    help="With --head: what it would be gone back to; the head of the environment's branch if not given.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--waive-freeze",
    "waives",
    metavar="REASON",
    default="",
    help="Deploy although the policy freezes the environment; who did and why is recorded.",
)
@options.output("text", "json", "markdown")
@options.context()
@options.insecure()
@options.session
def command(
    session: options.Session,
    *,
    service: str,
    environment: str,
    revision: str,
    why: str,
    loses: bool,
    dry: bool,
    head: str,
    base: str,
    yes: bool,
    waives: str,
    output: str,
    kube_context: str | None,
    insecure: bool,
) -> int:
    """Go back."""
    from hanbae import errors, workspaces
    from hanbae.cli import rollback_run

    if head and (not dry or revision):
        raise errors.WrongUse("rollback.head-alone")
    if base and not head:
        raise errors.WrongUse("rollback.base-alone")
    if output == "markdown" and not dry:
        raise errors.WrongUse("rollback.markdown-alone")
    with (
        workspaces.opened(session.directory, context=kube_context, insecure=insecure) as opened,
        notices.telling(session, opened) as space,
    ):
        wishes = rollback_run.Wishes(
            service,
            environment,
            revision,
            why=why.strip(),
            loses=loses,
            dry=dry,
            yes=yes,
            waives=waives.strip(),
        )
        run = rollback_run.Run(session, space, output, wishes)
        if head:
            return loops.run(run.foreseen(head, base))
        try:
            return loops.run(run.through())
        except KeyboardInterrupt:
            run.detached()
            raise
