"""``hanbae promote``: what was proven together, as a merge request for the next environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from hanbae import loops, wording
from hanbae.cli import names, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.results import promotions


@click.command(
    cls=options.Command,
    help="""\
Promote what was proven together in one environment to the next one, as a merge request.

Without SERVICE it is the set: every service that runs in the source as its last deployment has proven it, with
its image, its configuration and its migrations. What has changed since is refused.
hanbae pushes a branch of its own and opens the merge request at Gitea, Forgejo, GitHub or GitLab, with the token
of GITEA_TOKEN, GITHUB_TOKEN or GITLAB_TOKEN, or of tea, gh or glab; run again, it brings both up to date.
Where there is no forge, the branch is pushed and the text of the merge request is printed.""",
    epilog="""\
Examples:
  hanbae promote --from dev --to staging
  hanbae promote --from dev --to staging --dry-run
  hanbae promote auth --from staging --to production
  hanbae promote --from dev --to staging --output json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@click.option(
    "--from",
    "source",
    required=True,
    metavar="ENV",
    shell_complete=names.environments,
    help="Environment in which it was proven.",
)
@click.option(
    "--to",
    "target",
    required=True,
    metavar="ENV",
    shell_complete=names.environments,
    help="Environment that it is promoted to.",
)
@click.option("--dry-run", "planned", is_flag=True, help="Show it, and push nothing.")
@click.option(
    "--waive-freeze",
    "waives",
    metavar="REASON",
    default="",
    help="Promote although the policy freezes the environment; the merge request says who did and why.",
)
@options.output("text", "json", "markdown")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    source: str,
    target: str,
    planned: bool,
    waives: str,
    output: str,
    kube_context: str | None,
) -> None:
    """Promote."""
    from hanbae import workspaces
    from hanbae.actions import promote

    with workspaces.opened(session.directory, context=kube_context) as space:
        for environment in (source, target):
            space.refuse_unknown(services, environment)  # before anything is said to be looked at
        facts = {"source": source, "target": target}
        session.narration.step(wording.Text("promotion.preparing", facts))
        promotion = loops.run(
            promote.prepare(space, services, source, target, waives=waives.strip())
        )
        _show(promotion, output)
        promoted = _promoted(space, promotion, planned=planned)
    if output == "json":
        outputs.emit_json(promoted)
    _conclude(session, promoted, output)


def _promoted(
    space: workspaces.Workspace, promotion: promotions.Promotion, *, planned: bool
) -> promotions.Promoted:
    from hanbae.actions import promote
    from hanbae.cli.text import promotion_markdown
    from hanbae.results import promotions

    # Without changes `carry_out` pushes nothing, --dry-run or not.
    if planned and promotion.changes:
        return promotions.Promoted(promotion, "planned")
    spoken = promotion_markdown.words(promotion)
    return loops.run(promote.carry_out(space, promotion, spoken, os.environ))


def _show(promotion: promotions.Promotion, output: str) -> None:
    from hanbae.cli.reports import promotion_terminal
    from hanbae.cli.text import promotion_markdown

    if output == "text" and promotion.changes:
        promotion_terminal.show(promotion)
    elif output == "markdown":
        outputs.emit(promotion_markdown.body(promotion))


def _conclude(session: options.Session, promoted: promotions.Promoted, output: str) -> None:
    from hanbae.cli.text import promotion_markdown

    promotion, request = promoted.promotion, promoted.request
    facts = {
        "source": promotion.source,
        "target": promotion.target,
        "branch": promotion.branch,
        "into": promotion.into,
        "number": str(request.number) if request else "-",
        "url": request.url if request else "-",
    }
    text_id = {
        "nothing": "promotion.nothing",
        "planned": "promotion.planned",
        "pushed": "promotion.pushed",
        "opened": "promotion.opened",
        "updated": "promotion.updated",
    }[promoted.outcome]
    if promoted.outcome == "pushed" and output == "text":
        outputs.emit(catalogue.printable(promotion_markdown.body(promotion)))
    session.narration.succeed(wording.Text(text_id, facts))
