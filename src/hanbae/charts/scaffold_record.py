"""What was scaffolded into a chart, as it was written then, in a file of the chart's own.

``hanbae upgrade`` merges with it: a chart that was edited can take over what later templates or a later policy bring
only if it is certain what both began from. The texts themselves are kept and no version, because they follow from the
templates of one hanbae *and* the policy of that day, and a service may be edited before it is first committed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, subjects
from hanbae.policy import documents, folders, naming

NAME: Final = ".hanbae-scaffold.json"
"""In the chart's folder; Helm's templates and kubectl never see it, and searches leave hidden files out."""
_FORMAT: Final = 1


class _Head(Struct, frozen=True):
    """What every format has."""

    format: int


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    """The file: each text as its lines, so that a change of it can be read in a review."""

    format: int
    files: dict[str, list[str]]


def path(policy: documents.Policy, service: str) -> str:
    """The file of a service, relative to the repository."""
    return str(naming.chart(policy, service) / NAME)


def is_kept(policy: documents.Policy, service: str, file: str) -> bool:
    """Whether a scaffolded file stays hanbae's to improve.

    Values of environments and migrations are the team's from the first day.

    Args:
        policy: The policy.
        service: The service.
        file: Path relative to the repository.
    """
    return not file.endswith(".sql") and file not in values_files(policy, service)


def values_files(policy: documents.Policy, service: str) -> frozenset[str]:
    """The values files of the environments; they hold what `secrets seal` and `image set` wrote."""
    return frozenset(
        str(file)
        for environment in policy.environments
        for file in naming.values_files(policy, service, environment)
    )


def text(policy: documents.Policy, service: str, files: Mapping[str, str]) -> str:
    """The content of the file.

    Args:
        policy: The policy.
        service: The service.
        files: Path relative to the repository → what was scaffolded.
    """
    chart = str(naming.chart(policy, service))
    lines = {posixpath.relpath(file, chart): files[file].split("\n") for file in sorted(files)}
    encoded = msgspec.json.encode(_Record(_FORMAT, lines))
    return msgspec.json.format(encoded, indent=1).decode() + "\n"


def read(policy: documents.Policy, service: str, content: str) -> dict[str, str]:
    """Path relative to the repository → what was scaffolded.

    Args:
        policy: The policy.
        service: The service.
        content: The file.

    Raises:
        errors.FileFault: It is not such a file, is of a later hanbae, or names a file that is not the service's.
    """
    chart = str(naming.chart(policy, service))
    place = subjects.Place(path(policy, service))
    try:
        # On its own: a later format may well have more fields.
        if foreign_json.decode(content, _Head).format != _FORMAT:
            raise errors.FileFault("upgrade.later-record", place=place)
        record = foreign_json.decode(content, _Record)
    except foreign_json.Fault as error:
        raise errors.FileFault("upgrade.broken-record", place=place, reason=str(error)) from error
    files = {
        posixpath.normpath(posixpath.join(chart, file)): "\n".join(lines)
        for file, lines in record.files.items()
    }
    inside = "" if folders.is_root(chart) else f"{chart}/"
    beside = posixpath.join(posixpath.dirname(chart), "Dockerfile")
    for file in files:
        # A branch may have written it: what is merged, and deleted, stays with the chart and its Dockerfile.
        is_own = file.startswith(inside) and not file.startswith(("/", "../"))
        if not is_own and file != beside:
            raise errors.FileFault("upgrade.broken-record", place=place, reason=file)
    return files
