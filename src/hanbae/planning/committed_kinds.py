"""Which API versions an environment's cluster has because the repository itself defines them.

A chart may ask for them. Only what is certain counts, for what is known is rendered in one way alone: definitions in
the overlay and the charts of the environment, and of its services without a chart. What templates would make, what
dependencies bring and what a kustomization may still change is left out.

It is what the cluster has once all of it is applied: Argo CD renders a chart before it applies its definitions, so a
first sync is rendered without them. ``plan --env`` asks the cluster, and says so.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final
from weakref import WeakKeyDictionary

from hanbae import errors
from hanbae.apis import crds, serving
from hanbae.argo import source_files
from hanbae.planning import directories, manifests
from hanbae.policy import documents, environments, folders, naming, service_paths
from hanbae.repository import services, trees
from hanbae.rules import application_sources, definitions
from hanbae.rules.kustomize import scanning

Added = Mapping[str, tuple[str, ...]]
"""Environment → ``group/version`` and ``group/version/Kind`` of what the repository adds to its cluster."""

_ADDED: Final[WeakKeyDictionary[trees.Tree, tuple[documents.Policy, Added]]] = WeakKeyDictionary()
"""By the tree that was read, with the policy: a command renders hundreds of releases of one."""
_CHART: Final = "crds"
"""The folder of a chart whose definitions Helm applies."""


def of(policy: documents.Policy, tree: trees.Tree) -> Added:
    """What the files of a tree add to the clusters of its environments.

    Args:
        policy: The policy.
        tree: The files.
    """
    answer = _ADDED.get(tree)
    if answer is None or answer[0] != policy:
        answer = _ADDED[tree] = (policy, _of(services.located(policy, tree), tree))
    return answer[1]


def _of(policy: documents.Policy, tree: trees.Tree) -> Added:
    defined = definitions.in_files(tree, schemas=False)
    if not defined:  # kustomizations need not be followed
        return {}
    charts = _charts(policy, tree, defined)
    added = {}
    for name in environments.on_kubernetes(policy):
        files = {*_laid(policy, tree, name, defined), *_of_charts(policy, tree, name, charts)}
        added[name] = _served(kind for path in files for kind in defined.get(path, ()))
    return added


def _served(kinds: Iterable[crds.Kind]) -> tuple[str, ...]:
    names = (f"{kind.api_version}/{kind.kind}" for kind in kinds if kind.served)
    return serving.listed(name for name in names if name.isascii())  # no cluster takes others


def _charts(
    policy: documents.Policy, tree: trees.Tree, defined: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Service → the files of its chart that define kinds."""
    charts = {}
    for service in services.of(policy, tree):
        folder = folders.path(str(naming.chart(policy, service)), _CHART)
        own = tuple(path for path in defined if path.startswith(f"{folder}/"))
        if own:
            charts[service] = own
    return charts


def _of_charts(
    policy: documents.Policy,
    tree: trees.Tree,
    environment: str,
    charts: Mapping[str, tuple[str, ...]],
) -> Iterator[str]:
    # Helm applies the definitions of a chart when it installs it, and never again.
    if environments.by_helm(policy, environment):
        return
    for service, paths in charts.items():
        if _brings(policy, tree, service, environment):
            yield from paths


def _brings(policy: documents.Policy, tree: trees.Tree, service: str, environment: str) -> bool:
    """Whether Argo CD renders a chart in an environment, and its definitions with it."""
    written = application_sources.in_files(policy, tree, service, environment)
    try:
        files = map(str, naming.values_files(policy, service, environment))
        if not written.ignores_missing and any(tree.read(file) is None for file in files):
            return False
        chart = str(naming.chart(policy, service))
        patches = source_files.read(tree, chart, written.application)
        helm = source_files.merged(patches, written.source).get("helm")
    except errors.FileFault:  # nothing of it is rendered
        return False
    return not (isinstance(helm, dict) and helm.get("skipCrds") is True)


def _laid(
    policy: documents.Policy, tree: trees.Tree, environment: str, defined: Collection[str]
) -> Iterator[str]:
    """The files whose definitions an environment gets without a chart: of its overlay, and of services."""
    overlay = policy.environments[environment].overlay
    if overlay is not None:
        yield from _built(tree, posixpath.normpath(overlay))
    for service in service_paths.chartless(policy.services):
        try:
            source = manifests.source(policy, tree, service, environment)
        except errors.FileFault:  # it is not in the environment, or nobody can tell what of it is
            continue
        if source.engine == "kustomize":
            yield from _built(source.tree, source.folder)
        else:
            options = source.directory or documents.Directory()
            for path in directories.files(source.tree, source.folder, options):
                if path in defined and not directories.is_skipped(source.tree, path):
                    yield path


def _built(tree: trees.Tree, folder: str) -> Iterator[str]:
    """The files that a kustomization builds objects of; none where it may change definitions on the way."""
    scan = scanning.scan(tree, folder)
    others = (data for path, data in scan.files.items() if path not in scan.resources)
    if scan.fault or scan.refusals or any(definitions.WORD in data for data in others):
        return
    yield from scan.resources
