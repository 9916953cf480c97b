"""What Helm is asked to render for a service in an environment, and which databases the result migrates."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.apis import serving
from hanbae.argo import source_files
from hanbae.charts import pools
from hanbae.migrations import databases
from hanbae.policy import boundaries, documents, folders, naming
from hanbae.releases import databases as migrated
from hanbae.releases import objects, parts
from hanbae.repository import trees
from hanbae.rules import application_sources


class Cluster(Struct, frozen=True):
    """What the workload cluster says of itself, and Argo CD passes on to Helm.

    Attributes:
        version: Its version, such as ``v1.35.4``.
        api_versions: ``group/version`` and ``group/version/Kind`` of all that it serves.
    """

    version: str
    api_versions: tuple[str, ...]


class Values(Struct, frozen=True):
    """The values files of a service in an environment.

    Attributes:
        contents: Those that are there, in order.
        missing: Those that are not: Argo CD renders nothing without them.
    """

    contents: tuple[bytes, ...]
    missing: tuple[str, ...] = ()


def values(tree: trees.Tree, policy: documents.Policy, service: str, environment: str) -> Values:
    """Read the values files of a service in an environment.

    Raises:
        hanbae.errors.FileFault: One of them is too large, or a link leads out of the repository.
    """
    paths = [str(path) for path in naming.values_files(policy, service, environment)]
    contents = {path: tree.read(path) for path in paths}
    missing = tuple(path for path, content in contents.items() if content is None)
    return Values(tuple(contents[path] or b"" for path in paths if path not in missing), missing)


def requested(
    policy: documents.Policy,
    service: str,
    environment: str,
    values: Sequence[bytes],
    *,
    overrides: tuple[bytes, ...] = (),
    kube_version: str | None = None,
    api_versions: tuple[str, ...] = (),
    cluster: Cluster | None = None,
) -> pools.Wanted:
    """The release as Argo CD asks Helm for it.

    Args:
        policy: The policy.
        service: The service.
        environment: The environment.
        values: The contents of the environment's values files, in order.
        overrides: What Argo CD lays over them, as of :func:`overrides`.
        kube_version: The cluster's version, such as ``v1.35.4``; None for the first release of the policy's minor
            version.
        api_versions: API versions beyond those of that Kubernetes, such as ``bitnami.com/v1alpha1``.
        cluster: The cluster's own answer, which takes the place of both.
    """
    minor = policy.environments[environment].kubernetes
    if cluster is not None:
        kube_version, served = cluster.version, cluster.api_versions
    else:
        served = (*serving.api_versions(minor), *api_versions)
    return pools.Wanted(
        release=naming.release(policy, service, environment),
        namespace=naming.namespace(policy, service, environment),
        values=(*values, *overrides),
        kube_version=kube_version or f"v{minor}.0",
        api_versions=served,
        complete=cluster is not None,
        values_files=tuple(map(str, naming.values_files(policy, service, environment))),
    )


class Databases(Struct, frozen=True):
    """A rendered service with the databases that it migrates.

    Attributes:
        model: What the release is.
        migrated: The databases, in their order.
    """

    model: parts.Release
    migrated: tuple[migrated.Migrated, ...]


def read(
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    *,
    manifests: Iterable[Mapping[str, Any]],
    values: Mapping[str, Any],
    file: str = "",
) -> Databases:
    """What a rendered service is, and which databases it migrates.

    Args:
        policy: The policy.
        tree: The files that it was rendered from.
        service: The service.
        environment: The environment.
        manifests: The rendered objects.
        values: The merged values of its chart.
        file: The values file, for faults.

    Raises:
        hanbae.errors.FileFault: The values declare what is no database.
    """
    namespace = naming.namespace(policy, service, environment)
    declared = databases.declared(values, service, wave=policy.migrations.wave, file=file)
    model = migrated.release(
        [_object(manifest, index, namespace) for index, manifest in enumerate(manifests)],
        declared,
        service=service,
        namespace=namespace,
        name=naming.release(policy, service, environment),
        values=values,
        names=naming.databases(policy, service, environment),
    )
    folder = str(naming.migrations_folder(policy, service))
    files = [folders.name(folder, path) for path in tree.files(folder)]
    return Databases(model, migrated.of(model, declared, values, files))


def _object(manifest: Mapping[str, Any], index: int, namespace: str) -> objects.Object:
    metadata = manifest.get("metadata")
    own = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    return objects.Object(dict(manifest), "", index, str(own or namespace))


def overrides(
    tree: trees.Tree,
    policy: documents.Policy,
    service: str,
    environment: str,
    values: Sequence[bytes],
    *,
    written: application_sources.Written | None = None,
) -> tuple[bytes, ...]:
    """The values that the Application, and ``.argocd-source`` files beside the chart, lay over the environment's.

    Args:
        tree: The files of the repository.
        policy: The policy.
        service: The service.
        environment: The environment.
        values: The contents of the environment's values files, in order.
        written: What the Application says; None to look for it among the files.

    Raises:
        hanbae.errors.FileFault: Such a file cannot be read, or is no YAML; a file that a parameter names is not there.
    """
    chart = str(naming.chart(policy, service))
    if written is None:
        written = application_sources.in_files(policy, tree, service, environment)
    patches = list(source_files.read(tree, chart, written.application))
    helm = source_files.merged(patches, written.source).get("helm")
    if not isinstance(helm, dict):
        return ()
    place = subjects.Place(patches[-1].path) if patches else written.place
    parameters = [
        {**entry, "value": application_sources.substituted(text, policy, service, environment)}
        for entry in _entries(helm, "parameters")
        for text in [str(entry.get("value") or "")]
    ]
    parameters += _of_files(tree, chart, _entries(helm, "fileParameters"), place)
    return source_files.values({**helm, "parameters": parameters}, values)


def _entries(helm: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = helm.get(key)
    named = (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    return [entry for entry in named if isinstance(entry.get("name"), str)]


def _of_files(
    tree: trees.Tree,
    chart: str,
    entries: Iterable[Mapping[str, Any]],
    place: subjects.Place | None,
) -> Iterator[dict[str, Any]]:
    """Parameters whose values are files of the chart, or of the repository where the path begins with ``/``."""
    for entry in entries:
        written = str(entry.get("path") or "")
        path = posixpath.normpath(
            written.lstrip("/") if written.startswith("/") else folders.path(chart, written)
        )
        data = tree.read(path) if boundaries.is_path(path) else None
        if data is None:
            facts = {"name": str(entry["name"])[:80], "path": written[:200]}
            raise errors.FileFault("application.no-file", place=place, **facts)
        text = data.decode("utf-8", "replace")
        yield {"name": entry["name"], "value": text, "forceString": True}
