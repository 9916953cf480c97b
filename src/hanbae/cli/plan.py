"""``hanbae plan``: what would change, before anything does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, outputs, undeployed

if TYPE_CHECKING:
    from hanbae import workspaces

_CHANGES: Final = 3


@click.command(
    cls=options.Command,
    help="""\
Show what a deployment would change, and change nothing.

With --env alone: the head of the environment's branch against what the cluster has. With --base: one git
revision against another, for every environment or that of --env, without a cluster.""",
    epilog="""\
Examples:
  hanbae plan auth --env staging
  hanbae plan --env production --save plan.json
  hanbae plan auth --env staging --engine helm
  hanbae plan --base origin/main --head HEAD --output markdown""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@click.option("--base", metavar="REV", help="Compare with this git revision instead of a cluster.")
@click.option("--head", metavar="REV", help="What to compare it with: a git revision, else HEAD.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what is promised to a file that `hanbae deploy --plan` holds to.",
)
@click.option(
    "--exit-code", "tells", is_flag=True, help="Leave with 3 when something would change."
)
@click.option(
    "--engine",
    type=options.Choice(("argocd", "helm")),
    help="Plan for this instead of the policy's engine of the environment.",
)
@options.output("text", "json", "markdown")
@options.context()
@options.insecure()
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    base: str | None,
    head: str | None,
    save: Path | None,
    tells: bool,
    engine: Literal["argocd", "helm"] | None,
    output: str,
    kube_context: str | None,
    insecure: bool,
) -> int:
    """Plan."""
    if base is None and head is not None:
        raise errors.WrongUse("plan.head-without-base")
    if base is not None:
        if save is not None or engine is not None:
            option = "--engine" if save is None else "--save"
            raise errors.WrongUse("plan.option-without-cluster", option=option)
        changes = _compared(session, services, environment, (base, head or "HEAD"), output)
    elif environment is None:
        raise errors.WrongUse("plan.what")
    else:
        from hanbae import workspaces

        with workspaces.opened(
            session.directory, context=kube_context, insecure=insecure
        ) as opened:
            space = opened if engine is None else opened.driven_by(environment, engine)
            changes = _live(session, space, services, environment, save=save, output=output)
    return _CHANGES if tells and changes else 0


def _compared(
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    revisions: tuple[str, str],
    output: str,
) -> bool:
    from hanbae.actions import plan_revisions

    base, head = revisions
    comparison = loops.run(
        plan_revisions.compare(
            session.directory, base=base, head=head, services=services, environment=environment
        )
    )
    if output == "json":
        outputs.emit_json(comparison)
    elif output == "markdown":
        from hanbae.cli.text import plan_markdown

        outputs.emit(plan_markdown.compared(comparison))
    else:
        from hanbae.cli.reports import plan_terminal

        plan_terminal.compared(comparison)
        facts = {"base": comparison.base[:12], "head": comparison.head[:12]}
        if not comparison.changes:
            session.narration.succeed(wording.Text("plan.same", facts))
    return comparison.changes


def _live(
    session: options.Session,
    space: workspaces.Workspace,
    services: tuple[str, ...],
    environment: str,
    *,
    save: Path | None,
    output: str,
) -> bool:
    from hanbae.actions import plan_live

    space.refuse_unknown(services, environment)
    session.narration.step(wording.Text("plan.reading", {"environment": environment}))
    previews = loops.run(plan_live.preview(space, services, environment))
    planned = [preview.plan.service for preview in previews]
    if previews:
        undeployed.warn(session, space, planned, previews[0].revision)
    else:  # none was named, and the branch has none that was begun
        text = wording.Text("plan.nothing-begun", {"environment": environment})
        if save is not None:  # a saved plan of nothing is none when it is read
            raise errors.Refused.saying(text)
        session.narration.note(text)
    if save is not None:
        from hanbae.actions import save_plan

        commit = previews[0].revision
        save_plan.write(loops.run(save_plan.freeze(space, planned, environment, commit)), save)
    if output == "json":
        outputs.emit_json({"plans": previews})
    elif output == "markdown":
        from hanbae.cli.text import plan_markdown

        outputs.emit(plan_markdown.live(previews))
    else:
        from hanbae.cli.reports import plan_terminal

        plan_terminal.live(previews, promises=save is not None)
    if save is not None:
        session.narration.succeed(wording.Text("plan.saved", {"file": str(save)}))
    return any(preview.changes for preview in previews)
