"""What Helm is asked to render for a service in an environment, and which databases the result migrates."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.apis import serving
from hanbae.argo import build_environment, source_files, value_files
from hanbae.charts import pools
from hanbae.migrations import declared_databases
from hanbae.planning import committed_kinds
from hanbae.policy import boundaries, documents, folders, naming
from hanbae.releases import migrated_databases, objects, parts
from hanbae.repository import trees
from hanbae.rules import application_sources


class Overrides(Struct, frozen=True):
    """What an Application, and files beside its chart, say to Helm besides values files.

    Attributes:
        values: What is laid over the values files, in order.
        skip_crds: Whether the chart's CRDs are left out.
        skip_schema: Whether the values are not held against the chart's schema.
        kube_version: The version that Helm is told in place of the cluster's; empty for that.
        api_versions: The API versions that it is told in place of the cluster's; empty for those.
        namespace: What templates get as the release's namespace in place of the destination's; empty for that.
        place: Where it is said: the last of the files, else the Application; None where nothing is.
        names: The values that are set by it: ``image.tag``.
    """

    values: tuple[bytes, ...] = ()
    skip_crds: bool = False
    skip_schema: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    namespace: str = ""
    place: subjects.Place | None = None
    names: tuple[str, ...] = ()


class Values(Struct, frozen=True):
    """The values files of a service in an environment.

    Attributes:
        contents: Those that are there, in order.
        missing: Those that are not: Argo CD renders nothing without them.
        paths: Those that are there, by their paths.
    """

    contents: tuple[bytes, ...]
    missing: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def values(
    tree: trees.Tree,
    policy: documents.Policy,
    service: str,
    environment: str,
    *,
    written: application_sources.Written | None = None,
) -> Values:
    """Read the values files of a service in an environment: those of the policy, or of an Application in a cluster.

    Args:
        tree: The files of the repository.
        policy: The policy.
        service: The service.
        environment: The environment.
        written: What the Application says; None to look for it among the files.

    Raises:
        hanbae.errors.FileFault: One of them is too large, or a link leads out of the repository.
    """
    if written is None:
        written = application_sources.in_files(policy, tree, service, environment)
    paths = values_paths(tree, policy, service, environment, written=written)
    contents = {path: tree.read(path) for path in paths}
    missing = tuple(path for path, content in contents.items() if content is None)
    present = tuple(path for path in paths if path not in missing)
    contents_ = tuple(contents[path] or b"" for path in present)
    return Values(contents_, () if written.ignores_missing else missing, present)


def values_paths(
    tree: trees.Tree,
    policy: documents.Policy,
    service: str,
    environment: str,
    *,
    written: application_sources.Written,
) -> tuple[str, ...]:
    """The values files of a service in an environment, in order; what a pattern fits, and else what is not there.

    Args:
        tree: The files of the repository.
        policy: The policy.
        service: The service.
        environment: The environment.
        written: What the Application says.
    """
    # Only an Application in the cluster decides by itself; for one in git the policy says which files it lists.
    if written.place is not None or written.files is None:
        return tuple(map(str, naming.values_files(policy, service, environment)))
    variables = _variables(tree, policy, service, environment, written=written)
    expanded = (build_environment.expanded(path, variables) for path in written.files.paths)
    return tuple(name for path in expanded for name in value_files.matched(tree, path) or (path,))


def _variables(
    tree: trees.Tree,
    policy: documents.Policy,
    service: str,
    environment: str,
    *,
    written: application_sources.Written,
) -> dict[str, str]:
    return application_sources.variables(
        policy, service, environment, written=written, commit=trees.commit_of(tree)
    )


def requested(
    tree: trees.Tree,
    policy: documents.Policy,
    service: str,
    environment: str,
    values: Sequence[bytes],
    *,
    overrides: Overrides = Overrides(),  # noqa: B008  it is immutable
    kube_version: str | None = None,
    api_versions: tuple[str, ...] = (),
    added: committed_kinds.Added | None = None,
    cluster: serving.Cluster | None = None,
) -> pools.Release:
    """The release as Argo CD asks Helm for it.

    What is told of the cluster is what an Application says of it, else what it says of itself, else what the policy
    and the repository say of it. Of what the last two do not name, nobody knows whether the cluster has it.

    Args:
        tree: The files of the repository.
        policy: The policy.
        service: The service.
        environment: The environment.
        values: The contents of the environment's values files, in order.
        overrides: What Argo CD lays over them, as of :func:`overrides`.
        kube_version: The cluster's version, such as ``v1.35.4``; None for the first release of the policy's minor
            version.
        api_versions: API versions beyond those of the policy, such as ``bitnami.com/v1alpha1``.
        added: What the repository adds to clusters, as of :func:`hanbae.planning.committed_kinds.of`; None to look for
            it among the files.
        cluster: The cluster's own answer, which takes the place of these three.
    """
    settings = policy.environments[environment]
    if cluster is not None:
        kube_version, served = cluster.version, cluster.api_versions
    else:
        own = (committed_kinds.of(policy, tree) if added is None else added).get(environment, ())
        more = serving.listed((*settings.api_versions, *own, *api_versions))
        served = (*serving.api_versions(settings.kubernetes), *more)
    return pools.Release(
        release=naming.release(policy, service, environment),
        namespace=overrides.namespace or naming.namespace(policy, service, environment),
        values=(*values, *overrides.values),
        kube_version=overrides.kube_version or kube_version or f"v{settings.kubernetes}.0",
        api_versions=overrides.api_versions or served,
        version_is_known=cluster is not None or bool(overrides.kube_version),
        apis_are_known=cluster is not None or bool(overrides.api_versions),
        values_files=tuple(map(str, naming.values_files(policy, service, environment))),
        skip_crds=overrides.skip_crds,
        skip_schema=overrides.skip_schema,
    )


class Databases(Struct, frozen=True):
    """A rendered service with the databases that it migrates.

    Attributes:
        model: What the release is.
        migrated: The databases, in their order.
    """

    model: parts.Release
    migrated: tuple[migrated_databases.Migrated, ...]


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
    declared = declared_databases.declared(values, service, wave=policy.migrations.wave, file=file)
    model = migrated_databases.release(
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
    return Databases(model, migrated_databases.of(model, declared, values, files))


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
) -> Overrides:
    """What the Application, and ``.argocd-source`` files beside the chart, say besides the environment's values files.

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
        return Overrides()
    place = subjects.Place(patches[-1].path) if patches else written.place
    variables = _variables(tree, policy, service, environment, written=written)
    parameters = [
        {**entry, "value": build_environment.expanded(str(entry.get("value") or ""), variables)}
        for entry in _entries(helm, "parameters")
    ]
    of_files = [
        {**entry, "path": build_environment.expanded(str(entry.get("path") or ""), variables)}
        for entry in _entries(helm, "fileParameters")
    ]
    parameters += _of_files(tree, chart, of_files, place)
    versions = helm.get("apiVersions")
    return Overrides(
        source_files.values({**helm, "parameters": parameters}, values),
        skip_crds=helm.get("skipCrds") is True,
        skip_schema=helm.get("skipSchemaValidation") is True,
        kube_version=str(helm.get("kubeVersion") or ""),
        api_versions=tuple(map(str, versions)) if isinstance(versions, list) else (),
        namespace=str(helm.get("namespace") or ""),
        place=place,
        names=tuple(source_files.values_by_name(helm)),
    )


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
        # The Application is a branch's: a path out of the repository would put a file of this
        # machine into an object.
        data = tree.read(path) if boundaries.is_path(path) else None
        if data is None:
            facts = {"name": str(entry["name"])[:80], "path": written[:200]}
            raise errors.FileFault("application.no-file", place=place, **facts)
        text = data.decode("utf-8", "replace")
        # As for `--set-file`, a file is a text, whatever it looks like.
        yield {"name": entry["name"], "value": text, "forceString": True}
