"""The live view of a run: a table of services that stays, log lines and causes that scroll above it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final, Self, TextIO

from rich import box, console, live, spinner, table, text

from hanbae import wording
from hanbae.cli.text import catalogue, event_lines, wrapping
from hanbae.planning import deployments
from hanbae.results import events

_NARROW: Final = 60
"""Columns below which the time is left out."""
_PER_SECOND: Final = 8
_FEWEST_ROWS: Final = 4
"""Rows of the table in the lowest terminal."""

_SUCCEEDED: Final = ("✔", "green")
_BAD: Final = ("✘", "red")


class Row:
    """One deployment in the table."""

    def __init__(self, service: str, environment: str, began: float) -> None:
        self.service = service
        self.environment = environment
        self.began = began
        self.ended: float | None = None
        self.outcome = "running"
        self.doing = ""

    @property
    def mark(self) -> tuple[str, str] | None:
        """What its outcome looks like, and in which colour; None while it runs."""
        if self.outcome == "running":
            return None
        return _SUCCEEDED if self.outcome == "succeeded" else _BAD


class View:
    """Shows a run on a terminal.

    Args:
        stream: The terminal; data goes elsewhere.
        color: False for none; None to decide by the terminal.
        width: Columns; None for the terminal's.
        height: Lines; None for the terminal's.
        total: Deployments that are to come; those that have not begun are counted.
        concludes: How a deployment has ended is told by :meth:`conclude` and not before.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        color: bool | None = None,
        width: int | None = None,
        height: int | None = None,
        total: int = 0,
        concludes: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console.Console(
            file=stream,
            no_color=color is False,
            width=width,
            height=height,
            highlight=False,
            soft_wrap=False,
        )
        self._total = total
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._concludes = concludes
        self._last: list[tuple[Row, event_lines.Line]] = []
        self._quoting = event_lines.Quoting()
        self._spinner = spinner.Spinner("dots")
        self._live = live.Live(
            console=self._console,
            get_renderable=self.table,
            refresh_per_second=_PER_SECOND,
            # The table of results on stdout takes its place at the end.
            transient=True,
            # rich would send what is written to sys.stdout meanwhile to this console, hence to stderr.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def event(self, event: events.Event) -> None:
        """Show an event."""
        fact = event.fact
        if isinstance(fact, events.Opened):
            row = Row(fact.plan.service, fact.plan.environment, self._clock())
            facts = {"environment": fact.plan.environment}
            row.doing = catalogue.sentence(wording.Text("deploy.preparing", facts))
            self._rows[event.deployment] = row
        # Every stream begins with Opened; `runs` repeats it for a deployment that is resumed.
        row = self._rows[event.deployment]
        for line in self._quoting.lines(event):
            if line.meaning == "state":
                row.doing = line.words
            elif self._concludes and isinstance(fact, events.Closed):
                self._last.append((row, line))
            else:
                self._print(row, line)
                row.doing = line.words if line.meaning in {"step", "warn"} else row.doing
        if isinstance(fact, events.Intended) and deployments.is_proof(event.step or ""):
            row.doing = catalogue.words("deploy.proving")
        if isinstance(fact, events.Closed):
            row.ended = self._clock()
            row.outcome = fact.outcome
            row.doing = catalogue.words(f"deploy.outcome-{fact.outcome}")

    def conclude(self) -> None:
        """Say how a deployment has ended, below whatever was shown since: people read the last lines."""
        for row, line in self._last:
            self._print(row, line)
        self._last.clear()

    def _print(self, row: Row, line: event_lines.Line) -> None:
        for styled in _styled(row, line, self._console.width):
            # Laid out already: a command that no line holds is not broken, so that it can be copied.
            self._console.print(styled, soft_wrap=True)

    def table(self) -> console.Group:
        """The services and what each is doing; where they are too many, those that count, and how many there are."""
        rows = self._shown()
        drawn = self._drawn(rows)
        if len(rows) == len(self._rows) and not self._waiting:
            return console.Group(drawn)
        line = text.Text(self._tally(), no_wrap=True, overflow="ellipsis", style="bright_black")
        return console.Group(drawn, line)

    @property
    def _waiting(self) -> int:
        return max(self._total - len(self._rows), 0)

    def _shown(self) -> list[Row]:
        """The rows that the terminal has room for: what runs, then what did not end well, then the latest of the rest.

        The table takes half of the terminal, so that log lines and causes can be read above it.
        """
        most = max(self._console.height // 2, _FEWEST_ROWS)
        rows = list(self._rows.values())
        if len(rows) <= most:
            return rows
        ranked = sorted(rows, key=lambda row: (_rank(row), -(row.ended or 0.0)))[:most]
        return [row for row in rows if row in ranked]

    def _tally(self) -> str:
        # A copy in one step: the loop that drives the run adds rows while rich's thread draws.
        outcomes = [row.outcome for row in list(self._rows.values())]
        counts = {name: outcomes.count(name) for name in sorted(set(outcomes), key=outcomes.index)}
        return tally(counts | {"waiting": self._waiting})

    def _drawn(self, rows: Iterable[Row]) -> console.RenderableType:
        width = self._console.width
        drawn = table.Table(box=box.SIMPLE, show_header=False, expand=True, pad_edge=False)
        drawn.add_column(width=1)
        drawn.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width // 3, 8))
        drawn.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        if width >= _NARROW:
            drawn.add_column(no_wrap=True, justify="right")
        for row in rows:
            mark = self._spinner if row.mark is None else text.Text(*row.mark)
            name = text.Text(f"{row.service} {row.environment}", style="bold")
            cells = [mark, name, text.Text(row.doing)]
            if width >= _NARROW:
                seconds = (row.ended or self._clock()) - row.began
                cells.append(text.Text(f"{seconds:.0f} s", style="bright_black"))
            drawn.add_row(*cells)
        return drawn


class Plain:
    """Shows a run where there is no live table: each line with its service and environment in front.

    Args:
        write: Writes one line.
        color: Whether the marks are coloured.
        width: Columns that lines may take.
        concludes: How a deployment has ended is told by :meth:`conclude` and not before.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        color: bool = False,
        width: int = wrapping.ENDLESS,
        concludes: bool = False,
    ) -> None:
        self._write = write
        self._color = color
        self._width = width
        self._names: dict[str, str] = {}
        self._concludes = concludes
        self._last: list[tuple[str, event_lines.Line]] = []
        self._quoting = event_lines.Quoting()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is left to be done."""

    def event(self, event: events.Event) -> None:
        """Show an event."""
        fact = event.fact
        if isinstance(fact, events.Opened):
            self._names[event.deployment] = f"{fact.plan.service} {fact.plan.environment}"
        name = self._names[event.deployment]
        for line in self._quoting.lines(event):
            if self._concludes and isinstance(fact, events.Closed):
                self._last.append((name, line))
            else:
                self._show(name, line)

    def conclude(self) -> None:
        """Say how a deployment has ended, below whatever was shown since: people read the last lines."""
        for name, line in self._last:
            self._show(name, line)
        self._last.clear()

    def _show(self, name: str, line: event_lines.Line) -> None:
        import click

        mark, color = event_lines.MARKS[line.meaning]
        colored = click.style(mark, fg=color) if self._color and color else mark
        head = f"{name} {colored} "
        if line.meaning in event_lines.AS_WRITTEN:
            self._write((head + line.words).rstrip())
            return
        for laid_out in wrapping.paragraph(line.words, self._width, head=head, indent="  "):
            self._write(laid_out)


def tally(counts: Mapping[str, int]) -> str:
    """How many deployments have come to each outcome, in one line; what is 0 is left out.

    Args:
        counts: Outcome, or ``waiting``, to number.
    """
    return " · ".join(
        catalogue.sentence(
            wording.Text(
                "deploy.tally",
                {"count": str(count), "outcome": catalogue.words(f"deploy.outcome-{outcome}")},
            )
        )
        for outcome, count in counts.items()
        if count
    )


def _rank(row: Row) -> int:
    """How much a row counts when there is no room for all; the lowest counts most."""
    if row.mark is None:
        return 0
    return 1 if row.mark == _BAD else 2


def _styled(row: Row, line: event_lines.Line, width: int) -> Iterator[text.Text]:
    """A line with its service in front, in as many lines as the terminal needs."""
    mark, color = event_lines.MARKS[line.meaning]
    name = f"{row.service} {row.environment} "
    head = f"{name}{mark} "
    strong = line.meaning in {"fail", "warn"}
    if line.meaning in event_lines.AS_WRITTEN:
        lines = [head + line.words]
    else:
        lines = list(wrapping.paragraph(line.words, width, head=head, indent="  "))
    for index, words in enumerate(lines):
        styled = text.Text(style=color if strong else "default")
        if index == 0:
            styled.append(name, style="bright_black")
            styled.append(f"{mark} ", style=color or "default")
        styled.append(words[len(head) :] if index == 0 else words)
        yield styled
