"""``hanbae history export``: the record of a time as evidence for an audit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from hanbae.cli import delivery, options, outputs, unreadable
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.results import evidence

_LANGUAGES: Final = {"isms-p": "ko"}
"""Frameworks whose evidence is read in one language, whatever is spoken here."""


@click.command(
    "export",
    cls=options.Command,
    help="""\
Write the record of a time as evidence for the controls of an audit.

isms-p: 2.2.2, 2.8.3, 2.8.6, 2.9.1 and 2.9.2, in Korean. soc2: CC6.3, CC7.4 and CC8.1. Who deployed what was written
by whom, what was attested and waived, where it had been proven before, what failed and when that was restored.
Refused deployments are in it: there a control has worked.""",
    epilog="""\
Examples:
  hanbae history export --controls isms-p --from 2026-01-01 --to 2026-12-31 > evidence.md
  hanbae history export --controls isms-p --from 2026-01-01 --output csv > evidence.csv
  hanbae history export --controls soc2 --from 2026-07-01 --to 2026-09-30""",
)
@click.option(
    "--controls",
    "framework",
    type=options.Choice(("isms-p", "soc2")),
    required=True,
    help="Whose controls.",
)
@delivery.day_options[0]
@delivery.day_options[1]
@options.output("markdown", "csv", "json", default="markdown")
@options.session
def command(
    session: options.Session,
    *,
    framework: evidence.Framework,
    first: datetime | None,
    last: datetime | None,
    output: str,
) -> int:
    """Write it."""
    from hanbae import workspaces
    from hanbae.actions import export_evidence
    from hanbae.cli.reports import evidence as reports

    with workspaces.opened(session.directory) as space:
        since, until = delivery.between(first, last, space.clock())
        whole = export_evidence.export(space, framework, since=since, until=until)
    if output == "json":
        outputs.emit_json(whole)
        return unreadable.tell(session, whole.unreadable)
    with _speaking(_LANGUAGES.get(framework)):
        text = reports.table(whole) if output == "csv" else f"{reports.markdown(whole)}\n"
    outputs.document(text)
    return unreadable.tell(session, whole.unreadable)


@contextlib.contextmanager
def _speaking(language: str | None) -> Iterator[None]:
    """Word texts in a language, then as before."""
    before = os.environ.get("LANGUAGE", "")
    if language is not None:
        catalogue.speak(language)
    try:
        yield
    finally:
        catalogue.speak(before)
