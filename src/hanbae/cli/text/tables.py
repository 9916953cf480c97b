"""Deployments as a table on standard output: without colours, and readable at any width.

In a narrow terminal whole columns go rather than every cell being cut: a row that can be read without
the commit is worth more than one that is folded into eight lines.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from rich import box, console, table, text

from hanbae import wording
from hanbae.cli.text import catalogue, checklist_words, wrapping
from hanbae.results import deployments

_WIDE: Final = 110
"""Columns where there is no terminal to ask, as in a pipe."""

_GAP: Final = 3
_RESULT: Final = (
    "service", "environment", "revision", "trigger", "outcome", "checklist", "migrations",
)  # fmt: skip
_RESULT_FIRST_TO_GO: Final = ("trigger", "revision", "checklist")
_HISTORY: Final = (
    "deployment", "opened", "application", "image", "by", "outcome", "revision", "trigger", "databases",
)  # fmt: skip
_HISTORY_FIRST_TO_GO: Final = ("trigger", "databases", "revision", "by", "image", "opened")
_LONGEST_NAME: Final = 20
"""Columns of a person's name; the rest of a service account's is the same for all of them."""


def deployed(rows: Sequence[deployments.Deployment]) -> str:
    """What was deployed and proven, a service in each row."""
    return _table(rows, _RESULT, _RESULT_FIRST_TO_GO)


def history(
    rows: Sequence[deployments.Deployment], unwatched: Collection[str] = frozenset()
) -> str:
    """Deployments with their ids, one in each line.

    Args:
        rows: The deployments.
        unwatched: Ids of those that are not closed and that no process of this machine drives.
    """
    return _table(rows, _HISTORY, _HISTORY_FIRST_TO_GO, unwatched)


def matrix(
    rows: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    *,
    corner: str,
    wide: Mapping[str, Sequence[str]] | None = None,
    listed: Iterable[str] = (),
) -> str:
    """Cells by row and column, such as services by environments.

    Args:
        rows: Headings of the rows.
        columns: Heading of each column → its cells, one for each row.
        corner: Heading of the headings.
        wide: The same with wider cells, which are drawn where they fit.
        listed: The same as a line for each cell, for a terminal in which no table fits: folded to a few letters, its
            cells could not be read.
    """
    width = shutil.get_terminal_size((_WIDE, 24)).columns
    narrow, *wider = (
        {corner: list(rows)} | {name: list(cells) for name, cells in filled.items()}
        for filled in (columns, wide)
        if filled is not None
    )
    fitting = next((filled for filled in (*wider, narrow) if _needed(filled) <= width), None)
    lines = list(listed) if fitting is None else []
    if lines:
        paragraphs = (wrapping.paragraph(line, width, indent="  ") for line in lines)
        return "\n".join(itertools.chain.from_iterable(paragraphs))
    return _drawn(fitting or narrow, width)


def _table(
    rows: Sequence[deployments.Deployment],
    names: Sequence[str],
    first_to_go: Sequence[str],
    unwatched: Collection[str] = frozenset(),
) -> str:
    columns = {
        catalogue.words(f"deploy.column-{name}"): [
            catalogue.printable_lines(_CELLS[name](deployment)) for deployment in rows
        ]
        for name in names
    }
    outcomes = columns[catalogue.words("deploy.column-outcome")]
    for index, deployment in enumerate(rows):
        if deployment.id in unwatched:
            outcomes[index] = catalogue.words("deploy.unwatched")
    headings = dict(zip(names, columns, strict=True))
    width = shutil.get_terminal_size((_WIDE, 24)).columns
    for name in first_to_go:
        if _needed(columns) > width:
            del columns[headings[name]]
    return _drawn(columns, width)


def _needed(columns: dict[str, list[str]]) -> int:
    """The width at which no cell is folded."""
    widths = (
        max(wrapping.cells(line) for cell in [heading, *below] for line in cell.split("\n"))
        for heading, below in columns.items()
    )
    return sum(widths) + _GAP * (len(columns) - 1)


def _drawn(columns: dict[str, list[str]], width: int) -> str:
    drawn = table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in columns:
        drawn.add_column(heading, no_wrap=_needed(columns) <= width, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        drawn.add_row(*map(text.Text, row))  # of a plain string, Rich obeys "[red]" and ":smile:"
    paper = console.Console(width=width, color_system=None)
    with paper.capture() as captured:
        paper.print(drawn)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").splitlines())


def _moment(deployment: deployments.Deployment) -> str:
    opened = deployment.opened
    return opened.astimezone().strftime("%m-%d %H:%M") if opened else ""


def _trigger(deployment: deployments.Deployment) -> str:
    trigger = deployment.trigger
    return catalogue.words(f"deploy.trigger-{trigger}") if trigger else ""


def _proven(deployment: deployments.Deployment) -> list[str]:
    return list(map(_database, deployment.migrations))


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


def _image(deployment: deployments.Deployment) -> str:
    """What tells one image of a service from another: its tag, or else the beginning of its digest."""
    names = []
    for image in deployment.images:
        rest, _, digest = image.partition("@")
        tag = rest.rpartition("/")[2].partition(":")[2]
        names.append(tag or digest.removeprefix("sha256:")[:12])
    return ", ".join(names)


def _by(deployment: deployments.Deployment) -> str:
    """Who deployed; of a service account its own name."""
    return wrapping.clip(catalogue.printable(deployment.by.rpartition(":")[2]), _LONGEST_NAME)


_CELLS: Final[dict[str, Callable[[deployments.Deployment], str]]] = {
    "deployment": lambda deployment: deployment.id,
    "opened": _moment,
    "application": lambda deployment: f"{deployment.service} {deployment.environment}",
    "service": lambda deployment: deployment.service,
    "environment": lambda deployment: deployment.environment,
    "image": _image,
    "by": _by,
    "revision": lambda deployment: deployment.revision[:12],
    "trigger": _trigger,
    "outcome": lambda deployment: catalogue.words(f"deploy.outcome-{deployment.outcome}"),
    "checklist": lambda deployment: checklist_words.counted(deployment.checklist),
    "migrations": lambda deployment: "\n".join(_proven(deployment)),
    "databases": lambda deployment: ", ".join(_proven(deployment)),
}
"""Column → what stands in it."""
