"""Where a history is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hanbae import errors


def resolve(url: str, environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The file that a history's address means, and whether its folder is hanbae's own.

    Args:
        url: ``sqlite`` for the user's own history, ``sqlite:///relative`` or ``sqlite:////absolute`` for a file.
        environment: For ``XDG_STATE_HOME`` and ``HOME``.

    Raises:
        hanbae.errors.WrongUse: It is no such address, or one of a database that is not available yet.
    """
    if url in {"", "sqlite"}:
        home = environment.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(home).expanduser() / "hanbae" / "history.db", True
    parts = urlsplit(url)
    if parts.scheme in {"postgres", "postgresql"}:
        raise errors.WrongUse("history.not-available", scheme=parts.scheme)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < len("/x"):
        # The address is not repeated: it may hold a password.
        raise errors.WrongUse("history.bad-url", scheme=parts.scheme or "-")
    return Path(unquote(parts.path[1:])).expanduser(), False
