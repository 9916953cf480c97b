"""``hanbae history copy``: from one history to another."""

from __future__ import annotations

import click

from hanbae import errors, wording
from hanbae.cli import options, outputs, unreadable


@click.command(
    "copy",
    cls=options.Command,
    help="""\
Copy a history into another, such as your own file into the team's database.

Adds what is missing and changes nothing, so it can be interrupted and run again. Deployments that are in both must be
the same; one that is not is left as it is and named (exit code 5), and so is a record that cannot be read (2). All
others are copied. SOURCE and TARGET are addresses as in the policy.
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
def command(session: options.Session, *, source: str, target: str, output: str) -> int:
    """Copy it."""
    from hanbae.history import stores

    with stores.open_store(source) as first, stores.open_store(target) as second:
        copied = second.take(first)
        place = second.place.file
    left_out = len(copied.unreadable) + len(copied.differing)
    if output == "json":
        outputs.emit_json(copied._asdict())
    elif copied.events or not left_out:
        text_id = "history.copied" if copied.events else "history.nothing-to-copy"
        facts = {"count": str(copied.deployments), "events": str(copied.events)}
        session.narration.succeed(wording.Text(text_id, {"target": place, **facts}))
    code = unreadable.tell(session, copied.unreadable)
    for deployment in copied.differing:
        session.narration.fail(wording.Text("history.differs", {"deployment": deployment}))
        code = errors.Refused.exit_code
    if left_out:
        facts = {"target": place, "count": str(left_out)}
        session.narration.note(wording.Text("history.copied-without", facts))
    return code
