"""Which overlays there are: those that the policy names, those beside them, and those of services without a chart."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae.policy import documents, environments, service_paths
from hanbae.repository import services, trees
from hanbae.rules.kustomize import scanning

_USUAL: Final = "k8s/overlays"


class Overlay(Struct, frozen=True):
    """An overlay.

    Attributes:
        environment: Whose it is.
        folder: Its folder, relative to the repository's root.
        service: The service without a chart that it belongs to; empty for the environment's own.
        plain: Whether it is a folder of plain manifests, which Kustomize does not build.
    """

    environment: str
    folder: str
    service: str = ""
    plain: bool = False


def overlays(policy: documents.Policy, tree: trees.Tree) -> Iterator[Overlay]:
    """The overlays that a check builds, each once."""
    yield from dict.fromkeys(_overlays(policy, tree))


def _overlays(policy: documents.Policy, tree: trees.Tree) -> Iterator[Overlay]:
    by_environment = {
        name: policy.environments[name] for name in environments.on_kubernetes(policy)
    }
    for name, environment in by_environment.items():
        if environment.overlay is not None:
            yield Overlay(name, posixpath.normpath(environment.overlay))
        yield from _chartless(policy, tree, name)
    yield from _of_services(policy, tree, by_environment)


def _of_services(
    policy: documents.Policy, tree: trees.Tree, by_environment: Mapping[str, documents.Environment]
) -> Iterator[Overlay]:
    """``services/NAME/…/dev`` with a kustomization, of services that have no chart."""
    by_name = {}
    for name, environment in by_environment.items():
        by_name[name] = name
        if environment.overlay is not None:
            # A service's folder may also be called as the folder of the environment's own overlay
            # is.
            by_name.setdefault(posixpath.basename(posixpath.normpath(environment.overlay)), name)
    for glob in service_paths.globs(policy.services):
        before, after = glob.before, glob.after
        files = tree.files(before.rstrip("/")) if before.rstrip("/") else tree.files()
        for path in files:
            folder, _, file = path.rpartition("/")
            if file not in scanning.NAMES or not folder.startswith(before):
                continue
            service, _, rest = folder[len(before) :].partition("/")
            environment_name = by_name.get(rest.rpartition("/")[2])
            if environment_name and service and f"{before}{service}{after}/Chart.yaml" not in files:
                yield Overlay(environment_name, folder, service)


def _chartless(policy: documents.Policy, tree: trees.Tree, environment: str) -> Iterator[Overlay]:
    """What the policy's own globs and names find that has no chart: overlays, and folders of manifests."""
    located = services.located(policy, tree)
    if isinstance(located.services, service_paths.Located):
        for name, folders in located.services.chartless.items():
            if environment in folders:
                plain = services.engine(located, tree, name, environment) == "directory"
                yield Overlay(environment, folders[environment], name, plain)


def beside(policy: documents.Policy, tree: trees.Tree) -> Iterator[tuple[str, str]]:
    """Name and folder of each overlay that stands beside the policy's and is no environment's."""
    named = {
        posixpath.normpath(settings.overlay)
        for settings in policy.environments.values()
        if settings.overlay
    }
    parents = sorted({posixpath.dirname(overlay) for overlay in named} | {_USUAL})
    for parent in parents:
        if not parent:
            continue
        for path in tree.files(parent):
            folder, _, file = path.rpartition("/")
            if (
                file in scanning.NAMES
                and posixpath.dirname(folder) == parent
                and folder not in named
            ):
                yield posixpath.basename(folder), folder
