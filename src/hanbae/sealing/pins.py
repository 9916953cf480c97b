"""Which certificate each sealed value was sealed with, as the values file remembers it.

One fingerprint for the whole file says what the next value is sealed for.
After a change it is wrong for the values that were sealed before, so those get a pin of their own, until they are
sealed anew: the controller opens them only as long as it keeps its old key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct

CERTIFICATE: Final = ("sealedSecret", "certificate")
"""Where a values file remembers the certificate."""
DATA: Final = ("sealedSecret", "encryptedData")
"""Where the sealed values are."""
PINS: Final = ("sealedSecret", "certificates")
"""Where the certificates of values are that were sealed with another one."""
SOURCES: Final = ("sealedSecret", "certificateSources")
"""Where it stands of each certificate where it came from when it was first used."""
_LONGEST: Final = 300


class Renewal(Struct, frozen=True):
    """What sealing some values means for the pins.

    Attributes:
        changes: Path in the values file → fingerprint, for pins of single values.
        outdated: The values that stay sealed for another certificate.
    """

    changes: Mapping[tuple[str, ...], str]
    outdated: tuple[str, ...]


def of(sealed_secret: Any, key: str) -> str:
    """The fingerprint of the certificate that a value was sealed with; empty where none is remembered.

    Args:
        sealed_secret: The values below ``sealedSecret``; anything, as a values file may hold.
        key: The value's key.
    """
    section = sealed_secret if isinstance(sealed_secret, dict) else {}
    own = section.get(PINS[1])
    pin = own.get(key) if isinstance(own, dict) else None
    return str(pin or section.get(CERTIFICATE[1]) or "")


def renewal(sealed_secret: Any, sealed: Collection[str], fingerprint: str) -> Renewal:
    """What changes when some values are sealed with a certificate.

    Args:
        sealed_secret: The values below ``sealedSecret`` before.
        sealed: The keys that are sealed now.
        fingerprint: Of the certificate.
    """
    section = sealed_secret if isinstance(sealed_secret, dict) else {}
    data, own = section.get(DATA[1]), section.get(PINS[1])
    present = data if isinstance(data, dict) else {}
    pinned = own if isinstance(own, dict) else {}
    changes: dict[tuple[str, ...], str] = {
        (*PINS, key): fingerprint for key in sealed if key in pinned
    }
    outdated = []
    for key in map(str, present):
        pin = of(section, key)
        if key in sealed or not pin or pin == fingerprint:
            continue
        outdated.append(key)
        if key not in pinned:
            changes[*PINS, key] = pin
    return Renewal(changes, tuple(outdated))


def source(sealed_secret: Any, fingerprint: str) -> str:
    """Where a certificate came from, as the values file remembers it; empty where it does not.

    Args:
        sealed_secret: The values below ``sealedSecret``; anything, as a values file may hold.
        fingerprint: Of the certificate.
    """
    section = sealed_secret if isinstance(sealed_secret, dict) else {}
    sources = section.get(SOURCES[1])
    remembered = sources.get(fingerprint) if isinstance(sources, dict) else None
    return str(remembered or "")


def sourced(sealed_secret: Any, fingerprint: str, origin: str) -> Mapping[tuple[str, ...], str]:
    """What changes when a certificate is used that came from somewhere: the first source stays.

    Args:
        sealed_secret: The values below ``sealedSecret`` before.
        fingerprint: Of the certificate.
        origin: Where it came from.
    """
    if not origin or source(sealed_secret, fingerprint):
        return {}
    return {(*SOURCES, fingerprint): origin[:_LONGEST]}


def takes(schema: Any, section: tuple[str, str]) -> bool:
    """Whether a chart's ``values.schema.json`` allows a section; charts of older scaffolds refuse what is newer.

    Args:
        schema: The schema.
        section: `PINS` or `SOURCES`.
    """
    node = schema
    for part in ("properties", PINS[0]):
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or node.get("additionalProperties") is not False:
        return True
    properties = node.get("properties")
    return isinstance(properties, dict) and section[1] in properties


def mentioned(data: bytes) -> set[str]:
    """The fingerprints that a values file remembers for its next value, without parsing it: there may be hundreds."""
    name = f"{CERTIFICATE[1]}:".encode()
    lines = (line.strip() for line in data.split(b"\n"))
    texts = (line[len(name) :].strip(b" \"'") for line in lines if line.startswith(name))
    return {text.decode() for text in texts if text.startswith(b"sha256:") and text.isascii()}
