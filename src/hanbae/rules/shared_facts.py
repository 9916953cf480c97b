"""What the repository says to all of its services alike, worked out once and never once a service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from hanbae.apis import crds
from hanbae.argo import generating
from hanbae.policy import documents, naming
from hanbae.repository import trees
from hanbae.rules import (
    application_sources,
    declaring,
    definitions,
    manifest_names,
    neighbours,
)

_OPEN: Final[Mapping[str, Any]] = {
    "destinations": [{"namespace": "*"}],
    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
}
"""An AppProject of which nothing is known."""


class SharedFacts:
    """Facts that follow from the policy, the names of the services and the files of the repository.

    A kept result of one service must know on which of them it rests, so :mod:`hanbae.checking.result_cache` has a
    subclass that names every one of them: what is added here is added there, or a test fails.

    Args:
        policy: The policy.
        tree: The files.
        services: Names of all services.
    """

    def __init__(
        self, policy: documents.Policy, tree: trees.Tree, services: tuple[str, ...]
    ) -> None:
        self._policy, self._tree, self._services = policy, tree, services
        self._bounds: dict[str, Mapping[str, Any]] = {}
        self._neighbours: dict[str, neighbours.Neighbours] = {}

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The files that belong to no service, relative to the repository's root."""
        folders = {str(naming.folder(self._policy, name)) for name in self._services}
        # A path is cut at these depths alone: a few look-ups for a file, however many
        # services there are.
        depths = {folder.count("/") + 1 for folder in folders}
        return tuple(
            path
            for path in self._tree.files()
            if not any("/".join(path.split("/", depth)[:depth]) in folders for depth in depths)
        )

    @cached_property
    def own_kinds(self) -> Mapping[tuple[str, str], crds.Kind]:
        """API version and kind → kind, for those that files of the repository define, below k8s/ or in a crds/."""
        return {
            (kind.api_version, kind.kind): kind
            for kinds in definitions.in_files(self._tree).values()
            for kind in kinds
        }

    @cached_property
    def manifest_names(self) -> Mapping[str, tuple[str, ...]]:
        """Kind → names of the ConfigMaps and volume claims that files outside of charts make."""
        return manifest_names.by_kind(self._tree, self.others)

    @cached_property
    def overlay_secrets(self) -> tuple[str, ...]:
        """Names of the Secrets that files beside the overlays make."""
        return manifest_names.secrets(self._policy, self._tree)

    @cached_property
    def release_names(self) -> Mapping[str, str]:
        """Name of the release → service."""
        return {
            naming.release(self._policy, name, environment): name
            for environment in self._policy.environments
            for name in self._services
        }

    def application_names(self, environment: str) -> Mapping[str, str]:
        """Name of an environment's Application → service."""
        return {
            naming.application(self._policy, name, environment): name for name in self._services
        }

    def neighbours(self, environment: str) -> neighbours.Neighbours:
        """The words by which an environment knows the others."""
        if environment not in self._neighbours:
            self._neighbours[environment] = neighbours.of(self._policy, environment)
        return self._neighbours[environment]

    @cached_property
    def declared(self) -> tuple[declaring.Declared, ...]:
        """Argo CD's own objects among the files: Applications, ApplicationSets, AppProjects."""
        return tuple(declaring.read(self._tree, self._policy))

    @cached_property
    def written_sources(self) -> application_sources.Index:
        """What the Applications among the files say of their sources, by their names."""
        return application_sources.index(self._policy, self._tree, self.declared)

    def written(self, service: str, environment: str) -> application_sources.Written:
        """What a service's Application among the files says of its source."""
        return application_sources.of(self.written_sources, self._policy, service, environment)

    def bounds(self, environment: str) -> Mapping[str, Any]:
        """The spec of an environment's AppProject: of the one among the files, else of the one that hanbae makes."""
        if environment not in self._bounds:
            name = naming.project(self._policy, environment)
            own = [item for item in self.declared if (item.kind, item.name) == ("AppProject", name)]
            spec = own[0].get("spec") if own else None
            if not isinstance(spec, dict):
                # A team that has not taken hanbae's has its own, which may be in a cluster only.
                spec = _OPEN if self._policy.profile == "essential" else None
            if spec is None:
                spec = generating.project(self._policy, environment)["spec"]
            self._bounds[environment] = spec
        return self._bounds[environment]
