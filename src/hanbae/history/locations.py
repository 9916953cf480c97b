"""Where a history is, and whose word that is.

A checkout is not trusted with the user's files: what its policy names is used inside of the clone, and outside of it
only where hanbae has made a history before. It is not trusted with the user's passwords and records either: a server
that it names is used where the user's own password file names that server, too.
``HANBAE_HISTORY`` is the user's own word and may name any file and any server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from hanbae import errors, subjects
from hanbae.history import servers
from hanbae.policy import boundaries

VARIABLE: Final = servers.VARIABLE
"""Environment variable that names a history instead of the policy."""


class File(NamedTuple):
    """A history in a file.

    Attributes:
        path: The file.
        own_folder: Whether its folder is hanbae's own.
    """

    path: Path
    own_folder: bool


def trusted(url: str, root: Path, environment: Mapping[str, str], place: subjects.Place) -> str:
    """The address to open: the user's own if there is one, else the policy's as far as a checkout may say it.

    Args:
        url: What the policy says.
        root: The clone; relative paths begin there.
        environment: For :data:`VARIABLE` and the password file.
        place: Where the policy says it.

    Raises:
        hanbae.errors.WrongUse: It is no address of a history.
        hanbae.errors.Refused: It leads out of the clone to a history that does not exist, or to a server that the
            user has not confirmed.
    """
    own = environment.get(VARIABLE)
    if own:
        return own
    location = resolve(url, environment)
    if isinstance(location, servers.Server):
        servers.confirm(location, environment, place)
        return url
    path, own_folder = location
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


def resolve(url: str, environment: Mapping[str, str]) -> File | servers.Server:
    """The file or the server that a history's address means.

    Args:
        url: ``sqlite`` for the user's own history, ``sqlite:///relative`` or ``sqlite:////absolute`` for a file,
            ``postgresql://USER@HOST/DATABASE`` for a server.
        environment: For ``XDG_STATE_HOME`` and ``HOME``.

    Raises:
        hanbae.errors.WrongUse: It is no such address.
    """
    if url in {"", "sqlite"}:
        configured = Path(environment.get("XDG_STATE_HOME", "")).expanduser()
        # The XDG specification: a relative path is invalid and to be ignored. It would be one in the checkout.
        home = configured if configured.is_absolute() else Path("~/.local/state").expanduser()
        return File(home / "hanbae" / "history.db", own_folder=True)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise errors.WrongUse("history.bad-url", scheme="-") from None
    if parts.scheme in servers.SCHEMES:
        return servers.parsed(parts)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < len("/x"):
        # The address is not repeated: it may hold a password.
        raise errors.WrongUse("history.bad-url", scheme=parts.scheme or "-")
    return File(Path(unquote(parts.path[1:])).expanduser(), own_folder=False)
