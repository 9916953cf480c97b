"""Reads what a repository says that it has: ``index.yaml``, of tens of megabytes, by somebody whom nobody knows.

Only the versions of the charts that are wanted are kept; the rest goes by, event by event, in time that is linear in
the file and memory that is not. An index may also be JSON, and some are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import foreign_json, libyaml

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of an index; the largest public ones have 20 MB."""
MOST_VERSIONS: Final = 50_000
"""Versions of one chart."""
_LONGEST: Final = 4096
"""Characters of what is read of a version."""


class Fault(ValueError):
    """An index that cannot be read."""


class _Document(Struct):
    # Raw: the entries of charts that nobody wants are never decoded.
    entries: dict[str, msgspec.Raw]


class Version(Struct, frozen=True):
    """A version of a chart.

    Attributes:
        version: The version.
        urls: Where its archive is, as the index says it: often relative.
        digest: SHA-256 of its archive; empty where the index does not say.
    """

    version: str
    urls: tuple[str, ...] = ()
    digest: str = ""


def versions(data: bytes, names: Collection[str]) -> dict[str, tuple[Version, ...]]:
    """Chart → its versions, for those that the index has.

    Args:
        data: The index.
        names: The charts that are wanted.

    Raises:
        Fault: It is no index.
    """
    try:
        entries = _json(data, names) if data.lstrip()[:1] == b"{" else None
        if entries is None:
            entries = libyaml.picked(data, "entries", names)
    except libyaml.Fault as fault:
        raise Fault(f"line {fault.line}: {fault}" if fault.line else str(fault)) from None
    # The numbers and the letters of what is kept raw are looked at only when it is decoded itself.
    except foreign_json.Fault as fault:
        raise Fault(str(fault)) from None
    if entries is None:
        raise Fault("no entries")
    return {
        name: _bounded(map(_version, foreign_json.mappings(listed)))
        for name, listed in entries.items()
    }


def _json(data: bytes, names: Collection[str]) -> dict[str, Any] | None:
    """The entries of an index that is JSON; None where it is none: YAML may begin like this as well."""
    try:
        entries = foreign_json.decode(data, _Document).entries
    except foreign_json.Fault:
        return None
    return {name: foreign_json.decode(entries[name]) for name in names if name in entries}


def _version(entry: Mapping[str, Any]) -> Version:
    urls = foreign_json.texts(entry.get("urls"))
    version, digest = entry.get("version"), entry.get("digest")
    return Version(
        version[:_LONGEST] if isinstance(version, str) else "",
        tuple(url for url in urls if len(url) <= _LONGEST),
        digest.removeprefix("sha256:").lower() if isinstance(digest, str) else "",
    )


def _bounded(listed: Iterator[Version]) -> tuple[Version, ...]:
    result: list[Version] = []
    for version in listed:
        if len(result) == MOST_VERSIONS:
            raise Fault(f"more than {MOST_VERSIONS} versions of one chart")
        if version.version:
            result.append(version)
    return tuple(result)
