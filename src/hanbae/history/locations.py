"""Where a history is, and whose word that is.

A checkout is not trusted with the user's files: what its policy names is used inside of the clone, and outside of it
only where hanbae has made a history before. ``HANBAE_HISTORY`` is the user's own word and may name any file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from hanbae import errors, subjects
from hanbae.policy import boundaries

VARIABLE: Final = "HANBAE_HISTORY"
"""Environment variable that names a history instead of the policy."""


def trusted(url: str, root: Path, environment: Mapping[str, str], place: subjects.Place) -> str:
    """The address to open: the user's own if there is one, else the policy's as far as a checkout may say it.

    Args:
        url: What the policy says.
        root: The clone; relative paths begin there.
        environment: For :data:`VARIABLE`.
        place: Where the policy says it.

    Raises:
        hanbae.errors.WrongUse: It is no address of a history.
        hanbae.errors.Refused: It leads out of the clone to a history that does not exist.
    """
    own = environment.get(VARIABLE)
    if own:
        return own
    path, own_folder = resolve(url, environment)
    if own_folder:
        return url
    if path.is_absolute():
        if not path.exists():
            raise errors.Refused(
                "history.not-made-here", place=place, file=str(path), variable=VARIABLE
            )
        return url
    target = boundaries.inside(root.resolve(), root / path)
    if target is None:
        raise errors.Refused("history.outside", place=place, file=str(path), variable=VARIABLE)
    return f"sqlite:///{quote(str(target))}"


def resolve(url: str, environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The file that a history's address means, and whether its folder is hanbae's own.

    Args:
        url: ``sqlite`` for the user's own history, ``sqlite:///relative`` or ``sqlite:////absolute`` for a file.
        environment: For ``XDG_STATE_HOME`` and ``HOME``.

    Raises:
        hanbae.errors.WrongUse: It is no such address, or one of a database that is not available yet.
    """
    if url in {"", "sqlite"}:
        configured = Path(environment.get("XDG_STATE_HOME", "")).expanduser()
        # The XDG specification: a relative path is invalid and to be ignored. It would be one in the checkout.
        home = configured if configured.is_absolute() else Path("~/.local/state").expanduser()
        return home / "hanbae" / "history.db", True
    parts = urlsplit(url)
    if parts.scheme in {"postgres", "postgresql"}:
        raise errors.WrongUse("history.not-available", scheme=parts.scheme)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < len("/x"):
        # The address is not repeated: it may hold a password.
        raise errors.WrongUse("history.bad-url", scheme=parts.scheme or "-")
    return Path(unquote(parts.path[1:])).expanduser(), False
