"""``hanbae check``: what is not within the policy, before anything is pushed."""

from __future__ import annotations

import asyncio

import click

from hanbae.cli import options, outputs, reports


@click.command(
    cls=options.Command,
    help="""\
Check services in every environment against the policy, without a cluster.

Renders each chart as Argo CD would and looks at the files as git has them; without SERVICE, at all of them.""",
    epilog="""\
Examples:
  hanbae check
  hanbae check auth identity
  hanbae check --output json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@options.cache
@options.output("text", "json")
@options.session
def command(
    session: options.Session, services: tuple[str, ...], output: str, *, cache: bool
) -> int:
    """Check."""
    from hanbae.actions import check
    from hanbae.repository import keeping

    kept = keeping.opened() if cache else None
    result = asyncio.run(check.check(session.directory, services=services, kept=kept))
    if output == "json":
        outputs.emit_json(result)
    else:
        reports.text(session.narration, result)
    return 1 if any(each.severity == "error" for each in result.findings) else 0
