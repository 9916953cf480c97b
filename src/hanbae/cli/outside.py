"""What others than hanbae have done, below the list of deployments."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from hanbae import loops, wording
from hanbae.cli import options, outputs, unreached
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.results import outside

_MOST: Final = 20
"""Syncs and edits that are shown; JSON has all of them."""


def find(
    space: workspaces.Workspace, service: str | None, environment: str | None
) -> outside.Outside:
    """Ask the clusters."""
    from hanbae.actions import find_outside

    return loops.run(
        find_outside.find(
            space, (service,) if service else (), (environment,) if environment else ()
        )
    )


def show(session: options.Session, others: outside.Outside, output: str) -> int:
    """Say what was found; the exit code."""
    if output == "text":
        _list(session, others)
    return unreached.tell(session, others.unreached)


def _list(session: options.Session, others: outside.Outside) -> None:
    for sync in others.syncs[:_MOST]:
        text_id = "history.synced-outside"
        if sync.automated or not sync.by:
            text_id = "history.synced-by-itself"
        facts = {
            "when": _moment(sync.began),
            "service": sync.service,
            "environment": sync.environment,
            "revision": sync.revision[:12],
            "by": sync.by,
        }
        outputs.emit_text(catalogue.sentence(wording.Text(text_id, facts)), indent="  ")
    for edit in others.edits[:_MOST]:
        facts = {
            "when": _moment(edit.edited),
            "service": edit.service,
            "environment": edit.environment,
            "manager": edit.manager,
            "fields": ", ".join(edit.fields),
        }
        words = catalogue.sentence(wording.Text("history.edited-outside", facts))
        outputs.emit_text(words, indent="  ")
    more = max(0, len(others.syncs) - _MOST) + max(0, len(others.edits) - _MOST)
    if more:
        session.narration.note(wording.Text("history.more-outside", {"count": str(more)}))


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M")
