"""Deployments as a table on standard output: without colours, and readable at any width.

In a narrow terminal whole columns go rather than every cell being cut: a row that can be read without
the commit is worth more than one that is folded into eight lines.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Final

from rich import box, cells, console, table

from hanbae import wording
from hanbae.cli.text import catalogue
from hanbae.results import deployments

_WIDE: Final = 110
"""Columns where there is no terminal to ask, as in a pipe."""

_GAP: Final = 3
_FIRST_TO_GO: Final = ("opened", "trigger", "revision")


def deployed(rows: Sequence[deployments.Deployment], *, identified: bool = False) -> str:
    """What was deployed and proven.

    Args:
        rows: The deployments.
        identified: Whether each is shown with its id and the time at which it was opened.
    """
    names = [name for name in _CELLS if identified or name not in {"deployment", "opened"}]
    columns = {
        catalogue.words(f"deploy.column-{name}"): [_CELLS[name](deployment) for deployment in rows]
        for name in names
    }
    headings = dict(zip(names, columns, strict=True))
    width = shutil.get_terminal_size((_WIDE, 24)).columns
    for name in _FIRST_TO_GO:
        if name in headings and _needed(columns) > width:
            del columns[headings[name]]
    return _drawn(columns, width)


def _needed(columns: dict[str, list[str]]) -> int:
    """The width at which no cell is folded."""
    widths = (
        max(cells.cell_len(line) for cell in [heading, *below] for line in cell.split("\n"))
        for heading, below in columns.items()
    )
    return sum(widths) + _GAP * (len(columns) - 1)


def _drawn(columns: dict[str, list[str]], width: int) -> str:
    drawn = table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in columns:
        drawn.add_column(heading, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        drawn.add_row(*row)
    paper = console.Console(width=width, color_system=None)
    with paper.capture() as captured:
        paper.print(drawn)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").splitlines())


def _moment(deployment: deployments.Deployment) -> str:
    opened = deployment.opened
    return opened.astimezone().strftime("%Y-%m-%d %H:%M") if opened else ""


def _trigger(deployment: deployments.Deployment) -> str:
    trigger = deployment.trigger
    return catalogue.words(f"deploy.trigger-{trigger}") if trigger else ""


def _proven(deployment: deployments.Deployment) -> str:
    return "\n".join(map(_database, deployment.migrations))


def _database(migration: deployments.Migration) -> str:
    if migration.proven:
        return f"{migration.database} {migration.version}"
    facts = {
        "database": migration.database,
        "version": "?" if migration.version is None else str(migration.version),
        "reached": str(migration.reached),
        "files": str(migration.files),
        "failed": migration.failed,
    }
    text_id = "deploy.cell-failed" if migration.failed else "deploy.cell-reached"
    return catalogue.sentence(wording.Text(text_id, facts))


_CELLS: Final[dict[str, Callable[[deployments.Deployment], str]]] = {
    "deployment": lambda deployment: deployment.id,
    "opened": _moment,
    "service": lambda deployment: deployment.service,
    "environment": lambda deployment: deployment.environment,
    "revision": lambda deployment: deployment.revision[:12],
    "trigger": _trigger,
    "outcome": lambda deployment: catalogue.words(f"deploy.outcome-{deployment.outcome}"),
    "migrations": _proven,
}
"""Column → what stands in it, in the order of the table."""
