"""Where the policy says that charts are: its globs, and the folder of each service once they were looked for.

With one glob and no service by name a folder follows from a service's name alone.
Anything else needs the files of a tree: :func:`hanbae.repository.services.located` looks there and writes down what it
finds as :class:`Located`, which is the policy's ``services`` from then on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from msgspec import Struct, field

from hanbae.policy import documents
from hanbae.policy.folders import ROOT

STAR: Final = "*"
KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The files by which Kustomize knows a folder."""
ENVIRONMENT: Final = "{environment}"
"""In a glob: what matches is an environment's Kustomize overlay of a service."""


class Located(documents.Services, frozen=True):
    """What the policy says of services, and where those of a tree are; no file holds it.

    Attributes:
        folders: Service → its chart's folder.
        chartless: Service without a chart → environment → the folder that Argo CD reads there.
    """

    folders: dict[str, str] = field(default_factory=dict)
    chartless: dict[str, dict[str, str]] = field(default_factory=dict)


class Glob(Struct, frozen=True):
    """One of the policy's globs.

    Attributes:
        before: What is before the ``*``: empty, or a path with ``/`` at its end.
        after: What is behind it: empty, or a path with ``/`` at its beginning.
    """

    before: str
    after: str

    def folder(self, service: str) -> str:
        """The chart's folder of a service."""
        return f"{self.before}{service}{self.after}"

    def service(self, folder: str) -> str:
        """The service that a folder is of; empty for one that does not match."""
        # A folder that does not match gives some text all the same; putting it together again finds that out.
        inner = folder[len(self.before) : len(folder) - len(self.after)]
        return inner if "/" not in inner and folder == self.folder(inner) else ""

    def may_hold(self, path: str) -> bool:
        """Whether a file may be one of a chart in such a folder."""
        return path.startswith(self.before) and f"{self.after}/" in path


class Place(Struct, frozen=True):
    """The folders of a service, from the repository's root.

    Attributes:
        chart: Its chart.
        own: What is its own: ``services/auth`` of ``services/auth/helm``; the chart's folder where nothing else is.
        around: What lies beside the chart is below it: ``services/auth``; likewise.
        star: Which part of the chart's path is the service's name; None where none has to be.
    """

    chart: str
    own: str
    around: str
    star: int | None = None


def globs(services: documents.Services) -> tuple[Glob, ...]:
    """The policy's globs of charts, in its order."""
    return tuple(glob(path) for path in services.paths if ENVIRONMENT not in path)


def overlay_globs(services: documents.Services, environment: str) -> tuple[Glob, ...]:
    """The policy's globs of an environment's Kustomize overlays, in its order: those that hold ``{environment}``."""
    return tuple(
        glob(path.replace(ENVIRONMENT, environment))
        for path in services.paths
        if ENVIRONMENT in path
    )


def chartless(services: documents.Services) -> dict[str, dict[str, str]]:
    """Service without a chart → environment → folder; nothing before a tree was looked at."""
    return services.chartless if isinstance(services, Located) else {}


def has_no_chart(services: documents.Services, service: str) -> bool:
    """Whether a service is one of overlays or of plain manifests, as far as a tree was looked at."""
    return service in chartless(services)


def chartless_folder(services: documents.Services, service: str, environment: str) -> str | None:
    """The folder of an environment's overlay, or of its manifests; None for a chart.

    That is where the policy looks for one, whether a tree has anything there or not: one branch may have what another
    has not.
    """
    named = services.named.get(service)
    if named is not None and named.path is not None and ENVIRONMENT in named.path:
        return posixpath.normpath(named.path.replace(ENVIRONMENT, environment))
    if not isinstance(services, Located) or service not in services.chartless:
        return None
    folders = services.chartless[service]
    if environment in folders:
        return folders[environment]
    if named is not None and named.path is not None:
        return posixpath.normpath(named.path)
    return next((glob.folder(service) for glob in overlay_globs(services, environment)), None)


def is_in(services: documents.Services, service: str, environment: str) -> bool:
    """Whether a service has anything in an environment: one with a chart says so by its values."""
    if not isinstance(services, Located) or service not in services.chartless:
        return True
    return environment in services.chartless[service]


def directory(services: documents.Services, service: str) -> documents.Directory | None:
    """How Argo CD is told to read the manifests of a service; None to leave it to what is in the folder."""
    named = services.named.get(service)
    own = named.directory if named is not None else None
    return own or services.directory


def chart_globs(services: documents.Services) -> tuple[Glob, ...]:
    """Where files are those of charts: the globs, or the folders of the services once they were located."""
    if isinstance(services, Located):
        located = dict.fromkeys(services.folders.values())
        return tuple(Glob("" if folder == ROOT else f"{folder}/", "") for folder in located)
    return globs(services)


@lru_cache(maxsize=64)
def glob(path: str) -> Glob:
    """A glob of the policy as what is before and behind its ``*``."""
    before, _, after = path.partition(STAR)
    return Glob(before, after)


def follow_from_names(services: documents.Services) -> bool:
    """Whether a chart's folder follows from the service's name, so that no tree has to be looked at."""
    return (
        len(services.paths) == 1
        and ENVIRONMENT not in services.paths[0]
        and not services.exclude
        and not services.named
        and not services.paths[0].endswith(STAR)
        # `naming.namespaces_of_services` has to know then which services there are.
        and "{service}" not in services.namespace
    )


def place(services: documents.Services, service: str) -> Place:
    """The folders of a service; of one that there is not yet, those that it would have."""
    if isinstance(services, Located) and services.chartless.get(service):
        own = _own_folder(service, tuple(services.chartless[service].values()))
        return Place(own, own, own)
    named = services.named.get(service)
    folder = named.path if named is not None else None
    if folder is not None:
        folder = posixpath.normpath(folder)
        return Place(folder, folder, folder)
    if isinstance(services, Located):
        folder = services.folders.get(service)
    # The glob that the folder is of; of a service that there is not yet, the first one.
    for candidate in globs(services):
        if folder is None or folder == candidate.folder(service):
            return _by(candidate, service)
    folder = folder or service
    return Place(folder, folder, folder)


def _own_folder(service: str, folders: tuple[str, ...]) -> str:
    """What is the service's own of the folders of its environments: up to the part that is called like it."""
    shared = posixpath.commonpath(folders) or folders[0]
    parts = shared.split("/")
    return "/".join(parts[: parts.index(service) + 1]) if service in parts else shared


# Every rule asks for the folders of the service that it looks at.
@lru_cache(maxsize=4096)
def _by(glob: Glob, service: str) -> Place:
    chart, own = glob.folder(service), f"{glob.before}{service}"
    return Place(
        chart, own, posixpath.dirname(chart) if glob.after else own, glob.before.count("/")
    )


def is_excluded(services: documents.Services, folder: str) -> bool:
    """Whether the policy says that a folder, or one above it, is not a service."""
    parts = folder.split("/")
    for excluded in services.exclude:
        pattern = excluded.strip("/").split("/")
        # `map` ends with the pattern, so a folder below the one that is excluded matches as well.
        if len(pattern) <= len(parts) and all(map(fnmatchcase, parts, pattern)):
            return True
    return False


def folders(services: documents.Services) -> Iterator[tuple[str, str]]:
    """Service and folder of each that the policy names by itself."""
    for name, service in services.named.items():
        if service.path is not None:
            yield name, posixpath.normpath(service.path)
