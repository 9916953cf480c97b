"""What rules look at: the repository, a service in it, a service in one environment, and the objects rendered for it.

Views hold what was read once and compute the rest when it is asked for.
All rules share them and none writes into them: what several rules work out of a view is computed by
:meth:`hanbae.rules.computing.Computing.once`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from msgspec import Struct

from hanbae import errors, libyaml, subjects
from hanbae.apis import crds, serving
from hanbae.argo import authorizing
from hanbae.charts import gathering, tracing
from hanbae.handbook import facts
from hanbae.migrations import declared_databases, scripts
from hanbae.policy import documents, environments, folders, loading, naming, service_paths
from hanbae.releases import migrated_databases, parts
from hanbae.releases.objects import Object, On, Pointer
from hanbae.repository import trees
from hanbae.rules import (
    builds,
    claims,
    computing,
    declaring,
    definitions,
    rewritten_values,
    shared_facts,
    valuesfiles,
)

__all__ = ["Dependence", "Object", "On", "Pointer", "Project", "Release", "Service"]


class Dependence(Struct, frozen=True):
    """Objects that depend on which release of Helm or of Kubernetes renders them.

    Attributes:
        on: ``helm`` or ``kubernetes``.
        identity: Another release, with which the objects are others, such as ``Helm v3.18.6``.
        objects: Kind and name of some of them.
        template: The first one's template, relative to the repository's root.
    """

    on: str
    identity: str
    objects: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class Release(computing.Computing):
    """A service in one environment.

    Attributes:
        service: The service that it belongs to.
        environment: Name of the environment.
        values: The chart's defaults with the environment's values over them.
        objects: What was rendered, in Helm's order, hooks and CRDs included.
        dependences: What of that is other objects with another Helm or Kubernetes.
        assumed: API versions that the cluster is assumed to have here although nothing says so.
        alternatives: The release as it is with such API versions; rules over releases look at each.
        calls: Helm's functions that were called and give another result each time.
        sites: Where templates call them, as far as their text shows it: function, file and line.
        untried: Releases and combinations of API versions that templates ask for and that were not tried.
        layer: Values over those of the file, with which it was rendered for the rules alone; empty for none.
        rewritten: Texts that are not what its values files say.
    """

    service: Service
    environment: str
    values: Mapping[str, Any]
    objects: tuple[Object, ...]
    dependences: tuple[Dependence, ...] = ()
    assumed: tuple[str, ...] = ()
    alternatives: tuple[Release, ...] = ()
    calls: tuple[str, ...] = ()
    sites: frozenset[tuple[str, str, int]] = frozenset()
    untried: tuple[str, ...] = ()
    layer: bytes = b""
    rewritten: tuple[rewritten_values.Rewritten, ...] = ()

    @cached_property
    def policy(self) -> documents.Policy:
        """The policy."""
        return self.service.project.policy

    @cached_property
    def settings(self) -> documents.Environment:
        """The environment in the policy."""
        return self.policy.environments[self.environment]

    @cached_property
    def name(self) -> str:
        """Name of the Helm release."""
        return naming.release(self.policy, self.service.name, self.environment)

    @cached_property
    def namespace(self) -> str:
        """Namespace of the release."""
        return naming.namespace(self.policy, self.service.name, self.environment)

    @cached_property
    def secret(self) -> str:
        """Name of the service's Secret."""
        return naming.secret(self.policy, self.service.name, self.environment)

    @cached_property
    def values_file(self) -> str:
        """The environment's values file, relative to the repository's root."""
        return str(naming.values_file(self.policy, self.service.name, self.environment))

    @property
    def prepared(self) -> bool:
        """Whether anything was done for this environment since the scaffold: an image named, or a value sealed.

        What was not begun is not found fault with: ``hanbae check`` only says so.
        """
        image = self.value("image", default={})
        named = isinstance(image, Mapping) and (image.get("tag") or image.get("digest"))
        sealed = self.value("sealedSecret", "encryptedData")
        return bool(named or sealed or (self.model.begun and not self.layer))

    def value(self, *path: str, default: Any = None) -> Any:
        """One of the merged values, or the default."""
        node: Any = self.values
        for key in path:
            if not isinstance(node, Mapping) or key not in node:
                return default
            node = node[key]
        return node

    @cached_property
    def values_files(self) -> tuple[str, ...]:
        """The values files, relative to the repository's root, in order: later ones win."""
        files = naming.values_files(self.policy, self.service.name, self.environment)
        return tuple(map(str, files))

    def value_place(self, *path: str | int) -> subjects.Place:
        """Where a value stands in the values files; of a missing one, the nearest part around it in the environment's.

        The last file that has it counts, because its value wins.
        """
        if len(self.values_files) > 1:
            for file in reversed(self.values_files):
                if path in self.service.values(file).places:
                    return self.service.value_place(file, path)
        return self.service.value_place(self.values_file, path)

    @cached_property
    def _declared(self) -> tuple[declared_databases.Database, ...]:
        """The databases that the values declare; none where they are not what the chart contract says."""
        try:
            return declared_databases.declared(
                self.values, self.service.name, wave=self.policy.migrations.wave
            )
        except errors.FileFault:
            return ()

    @cached_property
    def model(self) -> parts.Release:
        """What the release is, read from its objects."""
        return migrated_databases.release(
            self.objects,
            self._declared,
            service=self.service.name,
            namespace=self.namespace,
            name=self.name,
            values=self.values,
            names=naming.databases(self.policy, self.service.name, self.environment),
        )

    @cached_property
    def migrated(self) -> tuple[migrated_databases.Migrated, ...]:
        """The databases that it migrates, each with what does so, in their order."""
        service = self.service
        files = [folders.name(service.migrations, path) for path in service.migration_files]
        return migrated_databases.of(self.model, self._declared, self.values, files)

    @cached_property
    def databases(self) -> tuple[declared_databases.Database, ...]:
        """The databases that the values declare or that its Jobs are seen to migrate."""
        return tuple(entry.database for entry in self.migrated)

    def of_kind(self, *kinds: str) -> Sequence[Object]:
        """The objects of some kinds, one kind after the other."""
        if len(kinds) == 1:  # what nearly every rule asks for, and mostly there are none
            return self._by_kind.get(kinds[0], ())
        return [manifest for kind in kinds for manifest in self._by_kind.get(kind, ())]

    @cached_property
    def _by_kind(self) -> dict[str, list[Object]]:
        by_kind: dict[str, list[Object]] = {}
        for manifest in self.objects:
            by_kind.setdefault(manifest.kind, []).append(manifest)
        return by_kind

    @cached_property
    def own_kinds(self) -> Mapping[tuple[str, str], crds.Kind]:
        """API version and kind → kind, for those that the release itself defines."""
        return {
            (kind.api_version, kind.kind): kind
            for manifest in self.of_kind("CustomResourceDefinition")
            for kind in crds.kinds(manifest.data)
        }


@dataclass(frozen=True)
class Service(computing.Computing):
    """A service: its chart, its files, and its releases.

    Attributes:
        project: The repository.
        name: Name of the service.
        releases: Environment → release, for those that rendered.
        unrendered: Environments whose release did not render; that is a finding already.
        kustomized: Whether its objects come from Kustomize; then there is no chart, and no values.
        incomplete: Whether its releases lack what charts would make that are neither in the repository nor fetched.
    """

    project: Project
    name: str
    releases: dict[str, Release] = field(default_factory=dict)
    unrendered: tuple[str, ...] = ()
    kustomized: bool = False
    incomplete: bool = False

    @cached_property
    def policy(self) -> documents.Policy:
        """The policy."""
        return self.project.policy

    @cached_property
    def chart(self) -> str:
        """The chart's folder, relative to the repository's root."""
        return str(naming.chart(self.policy, self.name))

    @cached_property
    def about(self) -> Mapping[Any, Any] | None:
        """What the chart's ``Chart.yaml`` says of it; None where that is not there or no mapping."""
        return libyaml.mapping(self.text(self.chart_file("Chart.yaml")) or "")

    @cached_property
    def folder(self) -> str:
        """The service's own folder, relative to the repository's root: ``services/auth``."""
        return self.project.folder(self.name)

    @cached_property
    def migrations(self) -> str:
        """The folder of the service's migrations, relative to the repository's root."""
        return str(naming.migrations_folder(self.policy, self.name))

    @cached_property
    def migration_files(self) -> Mapping[str, str]:
        """The files below the migrations' folder: path from the repository's root → an id of the content."""
        return self.project.tree.files(self.migrations)

    @cached_property
    def parsed_migrations(self) -> Mapping[str, scripts.Parsed]:
        """The SQL files among them as goose reads them; without those that may not be read."""
        parsed = {}
        for path in self.migration_files:
            if path.endswith(".sql"):
                with contextlib.suppress(errors.FileFault):
                    data = self.project.tree.read(path)
                    if data is not None:
                        parsed[path] = scripts.read(data)
        return parsed

    @cached_property
    def chart_files(self) -> tuple[str, ...]:
        """The chart's files, relative to the chart's folder."""
        files = self.project.tree.files(self.chart)
        return tuple(folders.name(self.chart, path) for path in files)

    def chart_file(self, name: str) -> str:
        """A file of the chart by its path in there, relative to the repository's root."""
        return folders.path(self.chart, name)

    def template(self, name: str) -> str:
        """A file that Helm names by its chart, such as ``auth/templates/a.yaml``, relative to the repository's root.

        Args:
            name: The file as Helm names it; one of a dependency is in ``charts/``, wherever it was taken from.
        """
        path = name.partition("/")[2]
        if path.startswith("charts/"):
            for folder, where in self._brought.items():
                if path.startswith(f"{folder}/"):
                    return where + path[len(folder) :]
        return self.chart_file(path)

    @cached_property
    def _brought(self) -> Mapping[str, str]:
        return gathering.brought(self.project.tree, self.chart)

    @cached_property
    def templates(self) -> tuple[tuple[str, str], ...]:
        """The chart's templates that make objects, those of unpacked dependencies included: path and text."""
        inside = [
            path
            for path in self.chart_files
            if path.startswith("templates/")
            or (path.startswith("charts/") and "/templates/" in path)
        ]
        texts = [(path, self.text(path)) for path in map(self.chart_file, inside)]
        return tuple((p, text) for p, text in texts if text and not p.endswith("/NOTES.txt"))

    @cached_property
    def named_templates(self) -> dict[str, str]:
        """The named templates of the chart, by name; for places of findings, so read only when there are some."""
        return tracing.named(text for _, text in self.templates)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files of the service's folder, from the repository's root; none where that is the whole repository."""
        around = str(naming.around(self.policy, self.name))
        return () if folders.is_root(around) else tuple(self.project.tree.files(around))

    @cached_property
    def _texts(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _parsed(self) -> dict[str, valuesfiles.ValuesFile]:
        return {}

    def values(self, path: str) -> valuesfiles.ValuesFile:
        """A values file, parsed once, with the place of each value; empty where there is none or it is broken.

        Args:
            path: The file, relative to the repository's root.
        """
        if path not in self._parsed:
            try:
                data = self.project.tree.read(path)
            except errors.FileFault:
                data = None
            self._parsed[path] = valuesfiles.parse(data or b"", path)
        return self._parsed[path]

    def place_of_value(self, files: Sequence[str], names: Sequence[str]) -> subjects.Place:
        """Where what a JSON pointer names stands in the last of some values files that has it, else nearest to it."""
        own = [(file, self.values(file).keys(names)) for file in files]
        holders = [(file, keys) for file, keys in own if keys in self.values(file).places]
        return self.value_place(*(holders or own)[-1])

    def value_place(self, path: str, keys: tuple[str | int, ...]) -> subjects.Place:
        """Where a value stands in a values file; of a missing one, the nearest part around it."""
        return self.values(path).place(keys)

    def text(self, path: str) -> str | None:
        """The text of a file of the repository, read once; None where there is none, or it is no text."""
        if path not in self._texts:
            self._texts[path] = self.project.text(path)
        return self._texts[path]


@dataclass(frozen=True)
class Proposal:
    """What is checked by the policy of another commit: a branch, whose own policy does not count.

    Attributes:
        policy: Its own policy.
        places: Key path of that policy → place in ``hanbae.yaml``.
        base: The files of the commit whose policy counts.
    """

    policy: documents.Policy
    places: Mapping[str, subjects.Place]
    base: trees.Tree

    def place(self, key: str) -> subjects.Place:
        """Where a key of its own policy stands; for one that is not there, the nearest part around it."""
        return loading.nearest(self.places, key)


@dataclass(frozen=True)
class Project(computing.Computing):
    """The repository.

    Attributes:
        policy: The policy.
        places: Key path of the policy → place in ``hanbae.yaml``.
        tree: The files.
        services: Names of all services, whether they are checked in this run or not.
        branches: Environment → the files at the head of its branch as last fetched, where that is known here.
        now: The time, for what expires.
        overlays: What was built, and what not: the policy's overlays, and those of services without a chart.
        clashes: The objects that two releases claim; none before all services were inspected.
        rights: Service and environment → what the deployer's rights depend on, by what is rendered; of the services
            that were inspected, where their values do not say it.
        deployed: Service → environment → what documents tell of it; of what was inspected and renders.
        schemas: The schemas of kinds that the repository defines.
        proposal: The branch's own policy, where that of another commit counts; None where its own counts.
        added: Environment → the API versions that the repository adds to its cluster; None before they were looked for.
        served: Environment → what its cluster says of itself, where it was asked.
    """

    policy: documents.Policy
    places: Mapping[str, subjects.Place]
    tree: trees.Tree
    services: tuple[str, ...]
    branches: Mapping[str, trees.Tree] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    overlays: tuple[builds.Built, ...] = ()
    clashes: tuple[claims.Clash, ...] = ()
    rights: Mapping[claims.Owner, authorizing.Service] = field(default_factory=dict)
    deployed: Mapping[str, dict[str, facts.Deployed]] = field(default_factory=dict)
    schemas: definitions.Schemas = field(
        default_factory=definitions.Schemas, repr=False, compare=False
    )
    proposal: Proposal | None = None
    added: Mapping[str, tuple[str, ...]] | None = None
    served: Mapping[str, serving.Cluster] = field(default_factory=dict)

    @property
    def chartless(self) -> Mapping[str, Mapping[str, str]]:
        """Service without a chart → environment → folder, of those that the policy's paths find."""
        return service_paths.chartless(self.policy.services)

    def place(self, key: str) -> subjects.Place:
        """Where a key of the policy stands; for one that is left to its default, the nearest part around it."""
        return loading.nearest(self.places, key)

    def text(self, path: str) -> str | None:
        """The text of a file; None where there is none, it may not be read, or it is no text."""
        return trees.text(self.tree, path)

    @cached_property
    def shared(self) -> shared_facts.SharedFacts:
        """What is worked out once for all services."""
        return shared_facts.SharedFacts(self.policy, self.tree, self.services)

    @property
    def others(self) -> tuple[str, ...]:
        """The files that belong to no service, relative to the repository's root."""
        return self.shared.others

    def folder(self, service: str) -> str:
        """The folder of a service, relative to the repository's root: ``services/auth``."""
        return str(naming.folder(self.policy, service))

    @property
    def own_kinds(self) -> Mapping[tuple[str, str], crds.Kind]:
        """API version and kind → kind, for those that files of the repository define, below k8s/ or in a crds/."""
        return self.shared.own_kinds

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The environments on Kubernetes, in the order of promotion."""
        return environments.on_kubernetes(self.policy)

    @property
    def release_names(self) -> Mapping[str, str]:
        """Name of the release → service."""
        return self.shared.release_names

    @property
    def declared(self) -> tuple[declaring.Declared, ...]:
        """Argo CD's own objects among the files: Applications, ApplicationSets, AppProjects."""
        return self.shared.declared

    def bounds(self, environment: str) -> Mapping[str, Any]:
        """The spec of an environment's AppProject: of the one among the files, else of the one that hanbae makes."""
        return self.shared.bounds(environment)

    def reaches(self, environment: str, namespace: str) -> bool:
        """Whether the Applications of an environment may put objects into a namespace."""
        destinations = self.bounds(environment).get("destinations")
        names = [
            str(destination.get("namespace", ""))
            for destination in (destinations if isinstance(destinations, list) else ())
            if isinstance(destination, dict)
        ]
        # Argo CD: a destination that begins with `!` refuses what another one allows.
        refused = any(name[:1] == "!" and fnmatchcase(namespace, name[1:]) for name in names)
        return not refused and any(fnmatchcase(namespace, name) for name in names)
