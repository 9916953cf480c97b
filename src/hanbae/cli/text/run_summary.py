"""The end of a run of several services: a count, and the cause of each that did not succeed with its next command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import click

from hanbae.cli.text import event_lines, live_view, wrapping
from hanbae.results import deployments, events


def lines(
    rows: Sequence[deployments.Deployment], *, width: int = wrapping.ENDLESS, color: bool = False
) -> Iterator[str]:
    """The summary, laid out.

    Args:
        rows: The deployments that decide how the run has ended.
        width: Columns that lines may take; commands are not broken.
        color: Whether marks are coloured.
    """
    yield live_view.tally(Counter(row.outcome for row in rows))
    for row in rows:
        if row.outcome in {"failed", "refused", "stopped", "superseded", "unknown"} and row.why:
            closed = events.Closed(row.outcome, row.why, row.command)
            yield from _of(row, closed, width=width, color=color)


def _of(
    row: deployments.Deployment, closed: events.Closed, *, width: int, color: bool
) -> Iterator[str]:
    for line in event_lines.of_fact(closed, deployment=row.id):
        mark, name = event_lines.MARKS[line.meaning]
        head = f"{row.service} {row.environment} {click.style(mark, fg=name) if color and name else mark} "
        if line.meaning in event_lines.AS_WRITTEN:
            yield f"{head}{line.words}".rstrip()
        else:
            yield from wrapping.paragraph(line.words, width, head=head, indent="  ")
