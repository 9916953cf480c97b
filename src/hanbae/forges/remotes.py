"""Where a clone's remote is, as far as a forge has to do with it: host, port and path, whatever git speaks with it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from hanbae import patterns

_STANDARD: Final = {"http": 80, "https": 443}
_SHELL: Final = frozenset({"ssh", "git+ssh", "ssh+git"})
_PART: Final = patterns.lazy(r"[A-Za-z0-9_.~+-]+")
_LONGEST: Final = 1000


class Remote(Struct, frozen=True):
    """A remote that may be a forge's.

    Attributes:
        host: Its host, in lower case.
        port: The port that the web is spoken on; None where git speaks ssh, and so nobody knows it.
        path: The repository's path, without ``.git``: ``shop/backend``.
    """

    host: str
    port: int | None
    path: str


def read(url: str) -> Remote | None:
    """A remote's address; None for a folder, and for what no forge has.

    Args:
        url: As git has it, a password in it or not: ``https://git.example.com/shop.git``, ``git@host:shop.git``.
    """
    if len(url) > _LONGEST:
        url = ""
    if "://" not in url:
        # `host:path` as ssh has it; a slash before the colon, or no colon, is a folder.
        before, colon, path = url.partition(":")
        if not colon or "/" in before:
            return None
        return _remote(before.rpartition("@")[2], None, path)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme in _SHELL:
        return _remote(parts.hostname or "", None, parts.path)
    if parts.scheme not in _STANDARD or parts.query or parts.fragment:
        return None
    return _remote(parts.hostname or "", port or _STANDARD[parts.scheme], parts.path)


def _remote(host: str, port: int | None, path: str) -> Remote | None:
    names = path.strip("/").removesuffix(".git").split("/")
    fits = all(_PART.fullmatch(name) and name not in {".", ".."} for name in names)
    if not host or len(names) < 2 or not fits:  # noqa: PLR2004  an owner and a repository
        return None
    return Remote(host.lower().strip("[]"), port, "/".join(names))
