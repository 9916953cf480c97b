"""Names of container images, read the way every container tool reads them.

The rules are those of distribution's reference grammar: the first part is a registry only if it looks like a host,
names without one are Docker Hub's, and the digest decides where there is one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from hanbae import errors, patterns

HUB: Final = "docker.io"
LONGEST_NAME: Final = 255
_LARGEST_PORT: Final = 65535
_LONGEST_TEXT: Final = 512
"""Characters of a name whose parts are kept; nearly all are shorter."""

_HOST: Final = patterns.lazy(
    r"(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
)
_COMPONENT: Final = patterns.lazy(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")
_TAG: Final = patterns.lazy(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = patterns.lazy(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True)
class Reference:
    """The name of an image, taken apart.

    Attributes:
        host: The registry with its port, such as ``registry.example.com:5000``; ``docker.io`` for Docker Hub.
        path: The repository in the registry, such as ``shop/auth``.
        tag: The tag; empty if the name has none (nothing is made up: ``latest`` is for the caller to say).
        digest: ``sha256:…``, or empty.
    """

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Registry and path, as a chart's ``image.repository`` has it."""
        return f"{self.host}/{self.path}"

    @property
    def selector(self) -> str:
        """What the registry's API is asked for: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: str) -> Reference:
        """The same image at a digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse(text: str) -> Reference:
    """Take the name of an image apart.

    Args:
        text: Such as ``registry.example.com/shop/auth:1.4.2@sha256:…``.

    Raises:
        errors.WrongUse: No container tool would take it.
    """
    return _short(text) if len(text) <= _LONGEST_TEXT else _parsed(text)


# A check asks for the parts of the same images in each rule that looks at them.
@lru_cache(maxsize=1024)
def _short(text: str) -> Reference:
    return _parsed(text)


def _parsed(text: str) -> Reference:
    name, sign, digest = text.partition("@")
    if sign and not _DIGEST.fullmatch(digest):
        raise errors.WrongUse("image.bad-digest", reference=text)
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise errors.WrongUse("image.bad-tag", reference=text)
    host, path = _split(f"{head}{slash}{last}")
    if not _is_host(host):
        raise errors.WrongUse("image.bad-registry", reference=text)
    if len(path) > LONGEST_NAME or not all(map(_COMPONENT.fullmatch, path.split("/"))):
        raise errors.WrongUse("image.bad-name", reference=text)
    return Reference(host, path, tag, digest)


def _is_host(host: str) -> bool:
    if not _HOST.fullmatch(host):
        return False
    address, bracket, rest = host.removeprefix("[").partition("]")
    port = (rest if bracket else host).partition(":")[2]
    if bracket:
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return False
    return not port or 0 < int(port) <= _LARGEST_PORT


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    # As distribution decides it: a capital letter, which no repository may have, makes a host, too.
    is_host = slash and (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )
    if not is_host:
        return HUB, name if slash else f"library/{name}"
    if first in ("index.docker.io", HUB):
        return HUB, rest if "/" in rest else f"library/{rest}"
    return first, rest
