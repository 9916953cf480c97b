"""Secrets that cannot be printed by accident, and the one redactor before the event stream.

A plaintext secret is held in :class:`Masked` from the moment it is read; every way to turn it into text
(``str``, ``repr``, ``format``, msgspec, pickling) gives a mask or fails.
Text that comes from elsewhere (logs of goose and of applications, messages of the cluster) passes through a
:class:`Redactor`, which knows the values that must not be seen and the shapes that secrets have.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final, NoReturn
from urllib.parse import quote, unquote

MASK: Final = "•••"

# A short value ("dev", "1") would blot out ordinary words all over a log; below this length only the shapes count.
_SHORTEST: Final = 6

# user:password@ in any URL; the password may hold anything but white space, @ and quotes.
_URL_PASSWORD: Final = re.compile(
    r"(?P<head>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@'\"]*:)[^\s'\"]+?(?=@[^\s@]*(?:$|[\s'\"/?#:,;)]))"
)
# password=… and passwd=… as in libpq's key-value connection strings, quoted or not.
_KEYWORD: Final = re.compile(
    r"(?i)(?P<head>\b(?:password|passwd|pgpassword)\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,;&'\"]+)"
)
_BEARER: Final = re.compile(r"(?i)(?P<head>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")


class Masked:
    """A plaintext secret that shows itself only when asked by name.

    Args:
        plaintext: The secret's bytes.
    """

    __slots__ = ("_plaintext",)

    def __init__(self, plaintext: bytes) -> None:
        self._plaintext = plaintext

    def unmask(self) -> bytes:
        """The plaintext. The only way to it, so that every use can be found by searching."""
        return self._plaintext

    def __len__(self) -> int:
        return len(self._plaintext)

    def __bool__(self) -> bool:
        return bool(self._plaintext)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Masked({MASK})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        message = "a masked secret is not serialised"
        raise TypeError(message)


class Redactor:
    """Takes secrets out of text that came from somewhere else.

    Args:
        secrets: Plaintext values that must never be seen: as they are, encoded, or line by line.
    """

    def __init__(self, secrets: Iterable[Masked] = ()) -> None:
        needles: set[str] = set()
        for secret in secrets:
            needles.update(_spellings(secret.unmask()))
        self._values = (
            re.compile("|".join(re.escape(n) for n in sorted(needles, key=lambda n: (-len(n), n))))
            if needles
            else None
        )

    def __call__(self, text: str) -> str:
        """The same text with every known secret and everything that looks like one masked."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        text = _URL_PASSWORD.sub(lambda match: match["head"] + MASK, text)
        text = _KEYWORD.sub(lambda match: match["head"] + MASK, text)
        text = _BEARER.sub(lambda match: match["head"] + MASK, text)
        return _JWT.sub(MASK, text)


def _spellings(plaintext: bytes) -> set[str]:
    """The forms in which a secret turns up in logs: itself, its lines, base64, percent-encoded, a URL's password."""
    text = plaintext.decode("utf-8", "ignore").strip()
    found = {text, *(line.strip() for line in text.splitlines())}
    found.add(base64.b64encode(plaintext).decode().rstrip("="))
    found.add(base64.b64encode(plaintext.strip()).decode().rstrip("="))
    found.add(quote(text, safe=""))
    found.add(quote(text))
    password = re.match(
        r"[a-zA-Z][a-zA-Z0-9+.-]*://[^:/@]*:(?P<password>.*)@[^@]*$", text, re.DOTALL
    )
    if password is not None:
        found |= {password["password"], unquote(password["password"])}
    return {needle for needle in found if len(needle) >= _SHORTEST}
