"""What Applications say of their source besides its folder: parameters, inline values, how a folder is read.

Argo CD's repo-server renders with it, whether the Application is written in git, made by an ApplicationSet in git, or
was changed in the cluster by hand; so does hanbae.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.argo import application_sets, applications
from hanbae.policy import documents, folders, labels, naming, service_paths
from hanbae.repository import trees
from hanbae.rules import declaring

_HELM: Final = ("parameters", "fileParameters", "values", "valuesObject")
_OTHER_ENGINES: Final = ("kustomize", "directory", "plugin")
_UNRENDERED: Final = ("version", "kubeVersion", "apiVersions", "skipCrds", "namespace")
_SOURCES: Final = {
    "Application": ("spec", "source"),
    "ApplicationSet": ("spec", "template", "spec", "source"),
}
_VARIABLE: Final = re.compile(r"\$(?:\{(ARGOCD_APP_[A-Z_]{1,40})\}|(ARGOCD_APP_[A-Z_]{1,40}))")


class Written(Struct, frozen=True):
    """What one Application says.

    Attributes:
        application: Its name.
        source: ``helm``, ``kustomize``, ``directory`` and ``plugin`` of its source, as far as they are there.
        place: Where it is written; None for an Application in the cluster.
        folder: The folder that it is about.
    """

    application: str = ""
    source: Mapping[str, Any] = {}
    place: subjects.Place | None = None
    folder: str = ""

    @property
    def unrendered(self) -> tuple[wording.Text, ...]:
        """That it has settings of Helm which Argo CD heeds and hanbae does not; nothing where it has none."""
        helm = _mapping(self.source.get("helm"))
        names = ", ".join(f"helm.{key}" for key in _UNRENDERED if helm.get(key))
        facts = {"application": self.application, "names": names}
        return (wording.Text("application.not-rendered", facts),) if names else ()


Index = Mapping[str, tuple[Written, ...]]
"""Name of an Application → what Applications of this name say."""

_INDEXES: Final[WeakKeyDictionary[trees.Tree, Index]] = WeakKeyDictionary()
"""By the tree that was read: a command looks at hundreds of services of one."""


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
    """The same of the files of a tree, which are looked through once."""
    if tree not in _INDEXES:
        _INDEXES[tree] = index(policy, tree, declaring.read(tree, policy))
    return of(_INDEXES[tree], policy, service, environment)


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
    source = applications.chart_source(application)
    name = naming.application(policy, service, environment)
    folder = _folder(policy, service, environment)
    return Written(name, _settings(source), None, folder)


def live_settings(application: Mapping[str, Any], former: Written) -> tuple[str, ...]:
    """What an Application in the cluster says otherwise than files do: ``kustomize.images`` and the like.

    Args:
        application: The Application.
        former: What files say.
    """
    own = _settings(applications.chart_source(application))
    return tuple(
        f"{engine}.{key}"
        for engine in ("kustomize", "directory")
        for key, value in _mapping(own.get(engine)).items()
        if value and value != _mapping(former.source.get(engine)).get(key)
    )


def substituted(text: str, policy: documents.Policy, service: str, environment: str) -> str:
    """A parameter with what Argo CD puts into it of the Application; the commit is left as it is written.

    Args:
        text: The parameter's value.
        policy: The policy.
        service: The service.
        environment: The environment.
    """
    settings = policy.environments[environment]
    variables = {
        "ARGOCD_APP_NAME": naming.application(policy, service, environment),
        "ARGOCD_APP_NAMESPACE": naming.namespace(policy, service, environment),
        "ARGOCD_APP_SOURCE_PATH": _folder(policy, service, environment),
        "ARGOCD_APP_SOURCE_REPO_URL": policy.argocd.repository,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": settings.branch or "",
    }
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)


def _documents(
    policy: documents.Policy, tree: trees.Tree, item: declaring.Declared
) -> Iterable[Mapping[str, Any]]:
    if item.kind == "Application":
        return (item.data,)
    spec = item.get("spec")
    own = item.get("metadata", "labels", labels.MANAGED_BY) == labels.HANBAE
    if item.kind != "ApplicationSet" or own or not isinstance(spec, dict):
        return ()

    def is_own(url: Any) -> bool:
        return applications.is_same_repository(url, policy.argocd.repository)

    return [expanded.document for expanded in application_sets.expand(spec, tree, is_own)]


def _read(
    policy: documents.Policy, document: Mapping[str, Any], place: subjects.Place
) -> Written | None:
    """What an Application of this repository says; None for others, and for one that says nothing."""
    spec = _mapping(document.get("spec"))
    several = spec.get("sources")
    for source in several if isinstance(several, list) else [spec.get("source")]:
        if not isinstance(source, Mapping) or not isinstance(source.get("path"), str):
            continue
        settings = _settings(source)
        own = applications.is_same_repository(source.get("repoURL"), policy.argocd.repository)
        if own and settings:
            name = str(_mapping(document.get("metadata")).get("name") or "")
            return Written(name, settings, place, folders.normal(source["path"]))
    return None


def _settings(source: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: source[key] for key in _OTHER_ENGINES if source.get(key)}
    helm = {
        key: value
        for key, value in _mapping(source.get("helm")).items()
        if value and key in (*_HELM, *_UNRENDERED)
    }
    return settings | ({"helm": helm} if helm else {})


def _folder(policy: documents.Policy, service: str, environment: str) -> str:
    folder = service_paths.chartless_folder(policy.services, service, environment)
    return folders.normal(folder if folder is not None else str(naming.chart(policy, service)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
