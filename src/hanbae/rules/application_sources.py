"""What Applications say of their source besides its folder: parameters, inline values, how a folder is read.

Argo CD's repo-server renders with it, whether the Application is written in git, made by an ApplicationSet in git, or
was changed in the cluster by hand; so does hanbae.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.argo import (
    application_sets,
    applications,
    build_environment,
    source_files,
    value_files,
)
from hanbae.policy import documents, folders, labels, naming, service_paths
from hanbae.repository import trees
from hanbae.rules import declaring

_OVERRIDES: Final = ("parameters", "fileParameters", "values", "valuesObject")
_OPTIONS: Final = (
    "valueFiles",
    "ignoreMissingValueFiles",
    "skipCrds",
    "skipSchemaValidation",
    "kubeVersion",
    "apiVersions",
    "namespace",
)
VALUES_FILES: Final = "helm.valueFiles"
"""What :func:`live_settings` calls other values files than those of git."""
_OTHER_ENGINES: Final = ("kustomize", "directory", "plugin")
_SOURCES: Final = {
    "Application": ("spec", "source"),
    "ApplicationSet": ("spec", "template", "spec", "source"),
}


class Written(Struct, frozen=True):
    """What one Application says.

    Attributes:
        application: Its name.
        source: ``helm``, ``kustomize``, ``directory`` and ``plugin`` of its source, as far as they are there.
        place: Where it is written; None for an Application in the cluster.
        folder: The folder that it is about.
        project: Its AppProject; empty where nothing is known of it.
        revision: What it follows, as it is written; empty likewise.
        files: The values files of its chart as it lists them; None where it is no Application with a chart.
    """

    application: str = ""
    source: Mapping[str, Any] = {}
    place: subjects.Place | None = None
    folder: str = ""
    project: str = ""
    revision: str = ""
    files: value_files.Listed | None = None

    @property
    def ignores_missing(self) -> bool:
        """Whether it is rendered without values files that are not there."""
        return _mapping(self.source.get("helm")).get("ignoreMissingValueFiles") is True

    @property
    def unrendered(self) -> tuple[wording.Text, ...]:
        """That Argo CD reads values which this repository does not have; nothing where it has them."""
        names = ", ".join(f"helm.valueFiles {name}" for name in (self.files or _NONE).elsewhere)
        facts = {"application": self.application, "names": names[:300]}
        return (wording.Text("application.not-rendered", facts),) if names else ()


_NONE: Final = value_files.Listed()


Index = Mapping[str, tuple[Written, ...]]
"""Name of an Application → what Applications of this name say."""

_INDEXES: Final[WeakKeyDictionary[trees.Tree, list[tuple[documents.Policy, Index]]]] = (
    WeakKeyDictionary()
)
"""By the tree that was read, with the policies that it was read by: a command looks at hundreds of services of one."""


def index(
    policy: documents.Policy, tree: trees.Tree, declared: Iterable[declaring.Declared]
) -> Index:
    """What the Applications among the files of a tree say, those that ApplicationSets make included.

    Args:
        policy: The policy.
        tree: The files.
        declared: Argo CD's objects among them.
    """
    by_name: dict[str, tuple[Written, ...]] = {}
    for item in declared:
        for document in _documents(policy, tree, item):
            written = _read(policy, document, item.place(*_SOURCES[item.kind]))
            if written is not None:
                own = (*by_name.get(written.application, ()), written)
                by_name[written.application] = own
    return by_name


def of(among: Index, policy: documents.Policy, service: str, environment: str) -> Written:
    """What a service's Application in an environment says; nothing where there is none.

    Args:
        among: The Applications.
        policy: The policy, located in their tree.
        service: The service.
        environment: The environment.
    """
    name = naming.application(policy, service, environment)
    folder = _folder(policy, service, environment)
    return next((item for item in among.get(name, ()) if item.folder == folder), Written(name))


def in_files(policy: documents.Policy, tree: trees.Tree, service: str, environment: str) -> Written:
    """The same of the files of a tree, which are looked through once for each policy."""
    return of(_index(policy, tree), policy, service, environment)


def _index(policy: documents.Policy, tree: trees.Tree) -> Index:
    indexes = _INDEXES.setdefault(tree, [])
    for by, among in indexes:
        if by is policy or by == policy:
            return among
    among = index(policy, tree, declaring.read(tree, policy))
    indexes.append((policy, among))
    return among


def of_live(
    policy: documents.Policy, service: str, environment: str, application: Mapping[str, Any]
) -> Written:
    """What an Application in the cluster says.

    Args:
        policy: The policy, located in the tree of the service.
        service: The service.
        environment: The environment.
        application: The Application.
    """
    spec = _mapping(application.get("spec"))
    source = applications.chart_source(application)
    has_no_chart = service_paths.has_no_chart(policy.services, service)
    return Written(
        naming.application(policy, service, environment),
        _settings(source),
        None,
        _folder(policy, service, environment),
        str(spec.get("project") or ""),
        str(source.get("targetRevision") or ""),
        None if has_no_chart else _files(policy, spec, source),
    )


def is_about(
    policy: documents.Policy, service: str, environment: str, application: Mapping[str, Any]
) -> bool:
    """Whether an Application in the cluster deploys a service's folder; of another one nothing is rendered."""
    path = applications.chart_source(application).get("path")
    return folders.normal(path) == _folder(policy, service, environment)


def live_settings(
    policy: documents.Policy, service: str, environment: str, *, live: Written, former: Written
) -> tuple[str, ...]:
    """What an Application in the cluster says otherwise than files do: ``image.tag``, ``kustomize.images``.

    Args:
        policy: The policy, located in the tree of the service.
        service: The service.
        environment: The environment.
        live: What the Application says.
        former: What files say.
    """
    helm, ours = _mapping(live.source.get("helm")), _mapping(former.source.get("helm"))
    names = list(_overridden(helm, ours))
    listed = former.files or _listed(policy, service, environment)
    if live.files is not None and live.files != listed:
        names.append(VALUES_FILES)
    names += [
        f"helm.{key}"
        for key in _OPTIONS
        # Absent, empty and false ask Argo CD for the same.
        if key != "valueFiles" and (helm.get(key) or None) != (ours.get(key) or None)
    ]
    names += [
        f"{engine}.{key}"
        for engine in ("kustomize", "directory")
        for key, value in _mapping(live.source.get(engine)).items()
        if value and value != _mapping(former.source.get(engine)).get(key)
    ]
    return tuple(names)


def _overridden(live: Mapping[str, Any], former: Mapping[str, Any]) -> Iterable[str]:
    """The values that one source overrides otherwise than another one."""
    ours = source_files.values_by_name(former)
    theirs = source_files.values_by_name(live)
    return [name for name in theirs | ours if theirs.get(name) != ours.get(name)]


def _files(
    policy: documents.Policy, spec: Mapping[str, Any], source: Mapping[str, Any]
) -> value_files.Listed:
    def is_own(url: Any) -> bool:
        return applications.is_same_repository(url, policy.argocd.repository)

    return value_files.listed(spec, source, is_own=is_own)


def _listed(policy: documents.Policy, service: str, environment: str) -> value_files.Listed:
    """The values files of the policy, the chart's own left out at the beginning."""
    chart = _folder(policy, service, environment)
    paths = [str(path) for path in naming.values_files(policy, service, environment)]
    first = folders.path(chart, "values.yaml")
    return value_files.Listed(tuple(paths[1:] if paths[:1] == [first] else paths))


def variables(
    policy: documents.Policy,
    service: str,
    environment: str,
    *,
    written: Written,
    commit: str = "",
) -> dict[str, str]:
    """The build environment of Argo CD.

    Args:
        policy: The policy.
        service: The service.
        environment: The environment.
        written: What the Application says.
        commit: The commit that is rendered; empty where that is not known.
    """
    settings = policy.environments[environment]
    return build_environment.of_commit(commit) | {
        "ARGOCD_APP_NAME": naming.application(policy, service, environment),
        "ARGOCD_APP_NAMESPACE": naming.namespace(policy, service, environment),
        "ARGOCD_APP_PROJECT_NAME": written.project or naming.project(policy, environment),
        "ARGOCD_APP_SOURCE_PATH": _folder(policy, service, environment),
        "ARGOCD_APP_SOURCE_REPO_URL": policy.argocd.repository,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": written.revision or settings.branch or "",
    }


def _documents(
    policy: documents.Policy, tree: trees.Tree, item: declaring.Declared
) -> Iterable[Mapping[str, Any]]:
    if item.kind == "Application":
        return (item.data,)
    spec = item.get("spec")
    # What hanbae generates follows from the policy, and says nothing beyond it.
    own = item.get("metadata", "labels", labels.MANAGED_BY) == labels.HANBAE
    if item.kind != "ApplicationSet" or own or not isinstance(spec, dict):
        return ()

    def is_own(url: Any) -> bool:
        return applications.is_same_repository(url, policy.argocd.repository)

    return [expanded.document for expanded in application_sets.expand(spec, tree, is_own)]


def _read(
    policy: documents.Policy, document: Mapping[str, Any], place: subjects.Place
) -> Written | None:
    """What an Application of this repository says; None for others."""
    spec = _mapping(document.get("spec"))
    several = spec.get("sources")
    for source in several if isinstance(several, list) else [spec.get("source")]:
        # A source that only lends its values files (`ref`) has no path, and renders nothing.
        if not isinstance(source, Mapping) or not isinstance(source.get("path"), str):
            continue
        if applications.is_same_repository(source.get("repoURL"), policy.argocd.repository):
            name = str(_mapping(document.get("metadata")).get("name") or "")
            project, revision = (
                str(value or "") for value in (spec.get("project"), source.get("targetRevision"))
            )
            folder = folders.normal(source["path"])
            files = _files(policy, spec, source) if source.get("helm") else None
            return Written(name, _settings(source), place, folder, project, revision, files)
    return None


def _settings(source: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: source[key] for key in _OTHER_ENGINES if source.get(key)}
    helm = {
        key: value
        for key, value in _mapping(source.get("helm")).items()
        if value and key in (*_OVERRIDES, *_OPTIONS)
    }
    return settings | ({"helm": helm} if helm else {})


def _folder(policy: documents.Policy, service: str, environment: str) -> str:
    folder = service_paths.chartless_folder(policy.services, service, environment)
    return folders.normal(folder if folder is not None else str(naming.chart(policy, service)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
