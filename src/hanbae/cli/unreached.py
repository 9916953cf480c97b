"""Says which environments could not be looked at, and why; the others have been shown all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hanbae import wording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hanbae.cli import options
    from hanbae.results import reach

UNREACHABLE: Final = 4
"""The exit code of a command to which an environment did not answer."""


def tell(session: options.Session, unreached: Iterable[reach.Unreached]) -> int:
    """Name them on stderr.

    Returns:
        The exit code: 0 where there are none.
    """
    code = 0
    for entry in unreached:
        facts = {"environment": entry.environment}
        session.narration.warn(wording.Text("status.unreached", facts))
        session.narration.note(entry.why)
        code = UNREACHABLE
    return code
