"""Names the records that could not be read; the others have been shown all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hanbae import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hanbae.cli import options
    from hanbae.results import deployments

DAMAGED: Final = 2
"""The exit code of a command that could not read all of the history: a fault in what is the user's."""
_MOST: Final = 5
"""Records that are named; JSON has all of them."""


def tell(session: options.Session, records: Sequence[deployments.Unreadable]) -> int:
    """Name them on stderr, with why and what to do.

    Returns:
        The exit code: 0 where there are none.
    """
    for record in records[:_MOST]:
        session.narration.warn(record.why)
    if len(records) > _MOST:
        facts = {"count": str(len(records) - _MOST)}
        session.narration.warn(wording.Text("history.more-unreadable", facts))
    return DAMAGED if records else 0
