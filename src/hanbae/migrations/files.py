"""Which versions a folder of migrations holds, by goose's own file rules.

goose (v3.27, its CLI) takes every ``*.sql`` directly in the folder; the digits before the first ``_`` are the
version, at least 1.
A ``.sql`` file without such a number aborts goose, and a version that is there twice makes it panic: both are
faults here, before anything is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from hanbae import errors, subjects

_NUMBERED: Final = re.compile(r"^(?P<version>[0-9]+)_[^/]*\.sql$")
_LARGEST: Final = 2**63 - 1
"""goose parses a version as a signed 64-bit integer."""


def versions(names: Iterable[str], *, folder: str = "") -> tuple[int, ...]:
    """The versions of a folder's migration files, ascending.

    Args:
        names: Names of the files in the folder; what does not end in ``.sql`` is no migration.
        folder: The folder, for faults.

    Raises:
        hanbae.errors.FileFault: goose would abort on this folder.
    """
    return tuple(sorted(named(names, folder=folder)))


def named(names: Iterable[str], *, folder: str = "") -> Mapping[int, str]:
    """Version → file name, for the same files and with the same faults as `versions`."""
    by_version: dict[int, str] = {}
    for name in sorted(names):
        if not name.endswith(".sql"):
            continue
        version = version_of(name)
        place = subjects.Place(f"{folder}/{name}" if folder else name)
        if version is None:
            raise errors.FileFault("migrations.file-without-number", place=place, file=name)
        if version in by_version:
            raise errors.FileFault(
                "migrations.version-twice",
                place=place,
                version=str(version),
                file=name,
                other=by_version[version],
            )
        by_version[version] = name
    return by_version


def version_of(name: str) -> int | None:
    """The version in a file's name, or None where goose would not find one."""
    match = _NUMBERED.match(name)
    if match is None:
        return None
    version = int(match["version"])
    return version if 1 <= version <= _LARGEST else None
