"""``hanbae deploy``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hanbae import loops
from hanbae.cli import interrupts, names, notices, options

if TYPE_CHECKING:
    from hanbae.deploying import claiming
    from hanbae.results import saved_plans


@click.command(
    cls=options.Command,
    help="""\
Deploy services to an environment, follow it, and prove their migrations.

Deploys the head of the environment's branch as the remote has it; without SERVICE, all services of the branch.
At a terminal it shows what would change and asks, unless Argo CD syncs the environment by itself.
What an earlier run has left half done is found and brought to its end first.
The first Ctrl-C only stops watching: what was begun goes on, and `hanbae attach` watches it again.""",
    epilog="""\
Examples:
  hanbae deploy auth --env staging
  hanbae deploy --env dev
  hanbae deploy --env staging --changed-only --concurrency 8
  hanbae deploy auth identity --env production --output json
  hanbae deploy auth --env production --revision 3f2c1ab
  hanbae deploy auth --env production --waive-freeze "CVE-2026-1234"
  hanbae deploy auth --env staging --engine helm
  hanbae deploy --plan plan.json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json", "jsonl")
@options.context()
@options.insecure()
@click.option(
    "--timeout",
    "limit",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="End what has not succeeded after this long; else the policy's deadlines do. "
    "While it waits for another deployment, it may end up to 15 s later.",
)
@click.option(
    "--if-busy",
    "busy",
    type=options.Choice(("refuse", "wait", "follow")),
    default="refuse",
    show_default=True,
    help="Where somebody else deploys the same service: refuse, wait for the end, or follow theirs.",
)
@click.option(
    "--stop-on-interrupt",
    "stops",
    is_flag=True,
    help="At Ctrl-C or SIGTERM, end what was begun instead of leaving it.",
)
@click.option(
    "--plan",
    "saved",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Deploy only what `hanbae plan --save` has written; refuse when anything differs.",
)
@click.option(
    "--changed-only",
    "changed_only",
    is_flag=True,
    help="Leave out services whose objects, images and migrations are as they were last proven.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=4,
    show_default=True,
    help="How many services are deployed at the same time.",
)
@click.option(
    "--revision",
    "older",
    metavar="REV",
    default="",
    help="Deploy this commit, which the branch must contain, instead of its head.",
)
@click.option(
    "--engine",
    type=options.Choice(("argocd", "helm")),
    help="Deploy with this instead of the policy's engine of the environment.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--no-preflight",
    "forced",
    is_flag=True,
    help="Begin although a secret, an image or the migrations in it are known to be missing.",
)
@click.option(
    "--waive-freeze",
    "waives",
    metavar="REASON",
    default="",
    help="Deploy although the policy freezes the environment; who did and why is recorded.",
)
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    saved: Path | None,
    output: str,
    kube_context: str | None,
    insecure: bool,
    limit: float | None,
    busy: claiming.IfBusy,
    stops: bool,
    changed_only: bool,
    concurrency: int,
    older: str,
    engine: Literal["argocd", "helm"] | None,
    yes: bool,
    forced: bool,
    waives: str,
) -> int:
    """Deploy."""
    from hanbae import errors, workspaces
    from hanbae.cli import deploy_run

    if saved is not None and (changed_only or older):
        option = "--changed-only" if changed_only else "--revision"
        raise errors.WrongUse("deploy.plan-and-option", option=option)
    claim, environment, services = _claimed(saved, environment, services)
    with (
        workspaces.opened(session.directory, context=kube_context, insecure=insecure) as present,
        notices.telling(session, present) as opened,
    ):
        space = opened if engine is None else opened.driven_by(environment, engine)
        if claim is None:
            space.refuse_unknown(services, environment)  # before anything is said to be prepared
        wishes = deploy_run.Wishes(
            services,
            environment,
            claim=claim,
            limit=limit,
            busy=busy,
            forced=forced,
            changed_only=changed_only,
            concurrency=concurrency,
            older=older,
            yes=yes,
            waives=waives.strip(),
        )
        run = deploy_run.Run(session, space, output, wishes)
        try:
            with interrupts.terminable() as terminated:
                return loops.run(run.through())
        except KeyboardInterrupt:
            # Before `detached`, which then names only what goes on all the same. It needs a new
            # event loop: the interruption has closed the one of the run.
            if stops:
                loops.run(run.stopped())
            run.detached()
            run.report_interrupted()
            return interrupts.TERMINATED if terminated else interrupts.INTERRUPTED


def _claimed(
    saved: Path | None, environment: str | None, services: tuple[str, ...]
) -> tuple[saved_plans.Frozen | None, str, tuple[str, ...]]:
    """The saved plan, and the environment and the services that it, or else the command line, names."""
    from hanbae import errors

    if saved is None:
        if environment is None:
            raise errors.WrongUse("deploy.no-environment")
        return None, environment, services
    from hanbae.actions import save_plan

    claim = save_plan.read(saved)
    if environment not in {None, claim.environment}:
        raise errors.WrongUse(
            "deploy.plan-of-another", environment=environment or "", other=claim.environment
        )
    return (
        claim,
        claim.environment,
        services or tuple(service.service for service in claim.services),
    )
