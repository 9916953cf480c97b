"""Says why a command has looked at nothing, so that nobody takes it for everything being in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanbae import wording

if TYPE_CHECKING:
    from hanbae.cli import options


def tell(session: options.Session, text_id: str) -> None:
    """Say that there are no services, or else why there was nothing to look at.

    Args:
        session: The session.
        text_id: What is said where there are services.
    """
    from hanbae.repository import services

    loaded = services.opened(session.directory)
    if services.of_checkout(loaded):
        session.narration.note(wording.Text(text_id))
        return
    path = services.source(loaded.policy)
    session.narration.note(wording.Text("services.none-yet", {"path": path}))
