"""``hanbae history copy``: from one history to another."""

from __future__ import annotations

import click

from hanbae import wording
from hanbae.cli import options, outputs


@click.command(
    "copy",
    cls=options.Command,
    help="""\
Copy a history into another, such as your own file into the team's database.

Adds what is missing and changes nothing, so it can be interrupted and run again. Deployments that are in both must be
the same; one that is not is refused by name. SOURCE and TARGET are addresses as in the policy.
Passwords are those of your password file, or PGPASSWORD for the server that HANBAE_HISTORY names.""",
    epilog="""\
Examples:
  hanbae history copy sqlite postgresql://hanbae@db.example.com/hanbae
  hanbae history copy postgresql://hanbae@db.example.com/hanbae sqlite:////backup/history.db""",
)
@click.argument("source")
@click.argument("target")
@options.output("text", "json")
@options.session
def command(session: options.Session, *, source: str, target: str, output: str) -> None:
    """Copy it."""
    from hanbae.history import stores

    with stores.open_store(source) as first, stores.open_store(target) as second:
        copied, events = second.take(first)
        facts = {"target": second.place.file, "count": str(copied), "events": str(events)}
    if output == "json":
        outputs.emit_json({"deployments": copied, "events": events})
        return
    text_id = "history.copied" if events else "history.nothing-to-copy"
    session.narration.done(wording.Text(text_id, facts))
