"""What a person sees of deployments while they run, and the exit code that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from hanbae.cli import options

if TYPE_CHECKING:
    from hanbae.results import deployments, events

_REFUSED: Final = 5
_UNREACHABLE: Final = 4


class Viewer(Protocol):
    """Shows the events of a run, within ``with``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def event(self, event: events.Event) -> None:
        """Show an event."""

    def conclude(self) -> None:
        """Say how a deployment has ended, where that was left for the end."""


def viewer(session: options.Session, output: str, *, total: int = 1) -> Viewer:
    """A table that stays, on a terminal; else plain lines.

    Args:
        session: How to speak to the person.
        output: The format of the data.
        total: Deployments that are to come. Of one, with a table of results, the end is told by ``conclude``.
    """
    from hanbae.cli.text import live_view

    speaker = session.narration
    concludes = output == "text" and total == 1
    if output == "text" and speaker.terminal:
        return live_view.View(speaker.stream, color=speaker.color, total=total, concludes=concludes)
    return live_view.Plain(
        speaker.line, color=speaker.color, width=speaker.width, concludes=concludes
    )


def exit_code(outcomes: Sequence[deployments.Outcome]) -> int:
    """The exit code of a run: the gravest of its deployments decides."""
    if all(outcome == "succeeded" for outcome in outcomes):
        return 0
    if any(outcome in {"failed", "stopped", "superseded", "running"} for outcome in outcomes):
        return 1
    return _UNREACHABLE if "unknown" in outcomes else _REFUSED
