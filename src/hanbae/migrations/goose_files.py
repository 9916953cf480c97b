"""Which versions a folder of migrations holds, by goose's own file rules.

goose (v3.27, its CLI) takes every ``*.sql`` directly in the folder, and every ``*.go`` that begins with a number and is
no test; the number before the first ``_`` is the version, at least 1.
A ``.sql`` file without such a number aborts goose, and a version that is there twice makes it panic: both are
faults here, before anything is deployed.
A migration in Go runs only in a program that it was compiled into; the goose command ends with an error at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hanbae import errors, patterns, subjects

# A sign is a part of the number for goose; no name with "-" has a version of at least 1.
# `\Z` and not `$`, which would match before a line feed at the end of a name as well.
_NUMBERED: Final = patterns.lazy(r"^\+?(?P<version>[0-9]+)_[^/]*\.(?P<language>sql|go)\Z")
_TEST: Final = "_test.go"
_LARGEST: Final = 2**63 - 1
"""goose parses a version as a signed 64-bit integer."""


def versions(names: Iterable[str], *, folder: str = "") -> tuple[int, ...]:
    """The versions of a folder's migration files, ascending.

    Args:
        names: Names of the files in the folder, migrations or not.
        folder: The folder, for faults.

    Raises:
        hanbae.errors.FileFault: goose would abort on this folder.
    """
    return tuple(sorted(named(names, folder=folder)))


def named(names: Iterable[str], *, folder: str = "") -> Mapping[int, str]:
    """Version → file name, for the same files and with the same faults as `versions`."""
    by_version: dict[int, str] = {}
    for name in sorted(names):
        version = version_of(name)
        if version is None and not name.endswith(".sql"):
            continue
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
    """The version in the name of a migration, or None where goose would not find one."""
    match = _NUMBERED.match(name)
    if match is None or name.endswith(_TEST):
        return None
    # Python refuses numbers of more than 4,300 digits, and goose those that do not fit into 64 bits.
    digits = match["version"].lstrip("0")[: len(str(_LARGEST)) + 1]
    version = int(digits or "0")
    return version if 1 <= version <= _LARGEST else None


def is_go(name: str) -> bool:
    """Whether a file is a migration in Go."""
    return name.endswith(".go") and version_of(name) is not None
