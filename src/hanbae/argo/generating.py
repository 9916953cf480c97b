"""What Argo CD is told: one AppProject and one ApplicationSet per environment, made from the policy alone.

Decisions, and why:

- The services come from the environment's branch (git generator over the chart folders), never from the checkout in
  which this runs: a service appears in an environment when its chart does.
- Names of folders come from branches and are foreign input. They appear in string fields only, which Argo CD renders
  one by one, so that a name cannot become YAML; the AppProject bounds what such an Application could reach.
- Retries are off everywhere: each would run the migrations again, and Argo CD's default for automated syncs is five.
- ``manifest-generate-paths`` is not set: with self-heal it can turn a new commit into a selective sync, which runs no
  hooks (argoproj/argo-cd#22795).
- Environments with manual sync never lose anything by a mistake in git: their set creates and updates Applications
  but deletes none, and resources stay when the set itself is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae.argo import generators, sync_windows
from hanbae.policy import documents, environments, labels, naming, service_paths

Object = dict[str, Any]

IN_CLUSTER: Final = "https://kubernetes.default.svc"

_API: Final = "argoproj.io/v1alpha1"
_REF: Final = "values"
"""What the source of values files is called in another one's ``valueFiles``: ``$values``."""
_AUTOMATED: Final = {"prune": True, "selfHeal": True}
# No chart needs to grant rights or to change the limits that hold it; and a Secret in git is a secret in clear.
_REFUSED_KINDS: Final = (
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "Secret"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)
# What a service is made of, and what Kubernetes makes of that: Argo CD shows children of these kinds only. Whatever
# else a team uses, such as ServiceMonitor, its policy names.
_KINDS: Final = (
    "ConfigMap",
    "PersistentVolumeClaim",
    "Pod",
    "Service",
    "ServiceAccount",
    "apps/ControllerRevision",
    "apps/DaemonSet",
    "apps/Deployment",
    "apps/ReplicaSet",
    "apps/StatefulSet",
    "autoscaling/HorizontalPodAutoscaler",
    "batch/CronJob",
    "batch/Job",
    "bitnami.com/SealedSecret",
    "gateway.networking.k8s.io/GRPCRoute",
    "gateway.networking.k8s.io/HTTPRoute",
    "networking.k8s.io/Ingress",
    "networking.k8s.io/NetworkPolicy",
    "policy/PodDisruptionBudget",
)


def project(policy: documents.Policy, environment: str, year: int | None = None) -> Object:
    """The AppProject of an environment: this repository, the namespaces of services, the kinds of a service.

    Args:
        policy: The policy.
        environment: The environment.
        year: The calendar year whose days it freezes, because a sync window comes every year, but no day in the policy
            does; None for no days.
    """
    where = _server(policy, environment)
    frozen = sync_windows.of(policy, environment, year)
    return {
        "apiVersion": _API,
        "kind": "AppProject",
        "metadata": _metadata(policy, environment, naming.project(policy, environment)),
        "spec": {
            "description": f"{policy.argocd.project}: {environment}",
            "sourceRepos": [policy.argocd.repository],
            "destinations": [
                {**where, "namespace": name} for name in namespaces(policy, environment)
            ],
            # Argo CD permits only the kinds in this list outside of namespaces: none.
            "clusterResourceWhitelist": [],
            "namespaceResourceWhitelist": [
                _kind(name) for name in sorted({*_KINDS, *_external(policy), *policy.argocd.kinds})
            ],
            # Argo CD lets this list win over the one before, whatever kinds the policy adds there.
            "namespaceResourceBlacklist": [
                {"group": group, "kind": kind} for group, kind in _REFUSED_KINDS
            ],
            **({"syncWindows": frozen} if frozen else {}),
        },
    }


def _external(policy: documents.Policy) -> tuple[str, ...]:
    """What a service is made of where its secrets are in a store."""
    return ("external-secrets.io/ExternalSecret",) if policy.secrets.are_external else ()


def _kind(name: str) -> Object:
    group, _, kind = name.rpartition("/")
    return {"group": group, "kind": kind}


def application(
    policy: documents.Policy, service: str, environment: str, *, migrates: bool = True
) -> Object:
    """The Application that the environment's set makes of a service: what to compare a cluster with.

    Args:
        policy: The policy.
        service: Name of the service.
        environment: Name of an environment on Kubernetes.
        migrates: Whether ``migration.enabled`` is true in the service's values; it matters only where
            ``database_changes`` is ``manual``.

    Returns:
        ``metadata`` (name, namespace, labels, finalizers) and ``spec``; Argo CD adds the rest.
    """
    manifest = _template(policy, environment, service, _Names.of(policy, service, environment))
    settings = policy.environments[environment]
    by_hand = settings.database_changes == "manual" and (
        migrates or not generators.shows_migrations(policy, environment)
    )
    if settings.sync == "auto" and not by_hand:
        manifest["spec"]["syncPolicy"]["automated"] = dict(_AUTOMATED)
    manifest["metadata"]["namespace"] = policy.argocd.namespace
    # Its limit of 0 is a zero value, which Argo CD leaves out.
    manifest["spec"]["syncPolicy"]["retry"] = {}
    # The controller adds the finalizer, unless the set preserves resources.
    if settings.sync == "auto":
        manifest["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    return {"apiVersion": _API, "kind": "Application", **manifest}


def application_set(policy: documents.Policy, environment: str) -> Object:
    """The ApplicationSet of an environment."""
    settings = policy.environments[environment]
    by_hand = settings.sync == "auto" and settings.database_changes == "manual"
    # Where the set can read the values, only the services that migrate are left to people.
    selective = by_hand and generators.shows_migrations(policy, environment)
    source = {"repoURL": policy.argocd.repository, "revision": f"refs/heads/{settings.branch}"}
    finders = list(generators.of(policy, environment, selective=selective))
    names = [_Names.by(policy, finder, environment) for finder in finders]
    if len(finders) == 1 and service_paths.follow_from_names(policy.services):
        template = _template(policy, environment, finders[0].service, names[0])
        git = [{**source, **finders[0].finds}]
    else:
        # Each has a template of its own, because charts, values and names differ. Argo CD takes what is missing there
        # from the set's, which therefore has no source.
        template = _shared(policy, environment)
        git = [
            {**source, **finder.finds, "template": _own(policy, environment, finder.service, own)}
            for finder, own in zip(finders, names, strict=True)
        ]
    if settings.sync == "auto" and not by_hand:
        template["spec"]["syncPolicy"]["automated"] = dict(_AUTOMATED)
    spec: Object = {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [{"git": generator} for generator in git],
        "syncPolicy": _keeping(settings),
        "template": template,
    }
    if selective:
        spec["templatePatch"] = _PATCH
    return {
        "apiVersion": _API,
        "kind": "ApplicationSet",
        "metadata": _metadata(policy, environment, naming.application_set(policy, environment)),
        "spec": spec,
    }


_PATCH: Final = """\
{{- $migration := get . "migration" }}
{{- $migrates := true }}
{{- if kindIs "map" $migration }}{{ $migrates = ne (toJson (get $migration "enabled")) "false" }}{{ end }}
{{- if $migrates }}
{}
{{- else }}
spec:
  syncPolicy:
    automated: {prune: true, selfHeal: true}
{{- end }}
"""
"""Automation for services that say ``migration.enabled: false``, and for no other: a doubt costs a click."""


class _Names(Struct, frozen=True):
    """The names of an Application, of a real service or as expressions."""

    application: str
    namespace: str
    source: Object

    @staticmethod
    def of(policy: documents.Policy, service: str, environment: str) -> _Names:
        files = naming.values_sources(policy, service, environment)
        application = naming.application(policy, service, environment)
        namespace = naming.namespace(policy, service, environment)
        folder = service_paths.chartless_folder(policy.services, service, environment)
        if folder is not None:
            return _Names(application, namespace, _chartless(policy, environment, service, folder))
        return _Names(
            application,
            namespace,
            _source(
                policy,
                environment,
                str(naming.chart(policy, service)),
                naming.release(policy, service, environment),
                files,
            ),
        )

    @staticmethod
    def by(policy: documents.Policy, finder: generators.Finder, environment: str) -> _Names:
        if finder.name:
            return _Names.of(policy, finder.name, environment)
        names = _Names.of(generators.of_glob(policy, finder), finder.service, environment)
        if finder.overlay and finder.glob is not None:
            folder = finder.glob.folder(finder.service)
            source = _chartless(policy, environment, finder.service, folder)
            names = msgspec.structs.replace(names, source=source)
        namespace = _namespace(policy, environment, finder.service)
        return msgspec.structs.replace(names, namespace=namespace)


def _template(
    policy: documents.Policy, environment: str, service: str, names: _Names
) -> dict[str, Any]:
    """An Application without automation; the same for a real service and for the set's expressions."""
    template = _own(policy, environment, service, names)
    template["spec"]["syncPolicy"] = _shared(policy, environment)["spec"]["syncPolicy"]
    return template


def _own(policy: documents.Policy, environment: str, service: str, names: _Names) -> dict[str, Any]:
    """What differs between the Applications of an environment."""
    return {
        "metadata": {
            "name": names.application,
            "labels": {**_labels(environment), labels.SERVICE: service},
        },
        "spec": {
            "project": naming.project(policy, environment),
            **names.source,
            "destination": {**_server(policy, environment), "namespace": names.namespace},
        },
    }


def _shared(policy: documents.Policy, environment: str) -> dict[str, Any]:
    """What all Applications of an environment have in common."""
    return {
        "metadata": {"labels": _labels(environment)},
        "spec": {
            "project": naming.project(policy, environment),
            "destination": _server(policy, environment),
            "syncPolicy": {
                "retry": {"limit": 0},
                "syncOptions": [
                    "ServerSideApply=true",
                    "CreateNamespace=false",
                    "FailOnSharedResource=true",
                    # Else what is pruned goes in its own wave, before anything is applied there.
                    "PruneLast=true",
                ],
            },
        },
    }


def _source(
    policy: documents.Policy,
    environment: str,
    chart: str,
    release: str,
    files: Sequence[naming.ValuesFile],
) -> Object:
    """The source of a chart; a second one for values files outside of it, which Argo CD knows by ``$values``."""
    names = [file.inside or f"${_REF}/{file.path}" for file in files]
    # Argo CD leaves an empty list out of what it keeps.
    helm: Object = {"releaseName": release, **({"valueFiles": names} if names else {})}
    source = {**_git(policy, environment, chart), "helm": helm}
    if all(file.inside for file in files):
        return {"source": source}
    git = {key: source[key] for key in ("repoURL", "targetRevision")}
    return {"sources": [source, {**git, "ref": _REF}]}


def _chartless(policy: documents.Policy, environment: str, service: str, folder: str) -> Object:
    """The source of a folder without a chart: Kustomize's by its files, unless the policy says how it is read."""
    source = _git(policy, environment, folder)
    options = service_paths.directory(policy.services, service)
    if options is not None:
        settings = {
            "recurse": options.recurse,
            "include": options.include,
            "exclude": options.exclude,
        }
        source["directory"] = {key: value for key, value in settings.items() if value}
        # An empty one is left out by Argo CD, which then would look for a kustomization.
        source["directory"] = source["directory"] or {"include": "*"}
    return {"source": source}


def _git(policy: documents.Policy, environment: str, path: str) -> Object:
    """A folder of the environment's branch; without more Argo CD sees by its files whether Kustomize is to build it."""
    branch = policy.environments[environment].branch
    return {
        "repoURL": policy.argocd.repository,
        "targetRevision": f"refs/heads/{branch}",
        "path": path,
    }


def has_source(application: Mapping[str, Any]) -> bool:
    """Whether an Application, or the template of a set, says what it deploys."""
    return "source" in application["spec"] or "sources" in application["spec"]


def _namespace(policy: documents.Policy, environment: str, service: str) -> str:
    """The expression for a service's namespace; a plain name unless a service has a namespace of its own.

    Args:
        policy: The policy.
        environment: The environment.
        service: The expression for a service's name.
    """
    base = naming.filled(policy.services.namespace, service, environment)
    default = naming.suffixed(policy, base, environment)
    part = service.strip("{} ")
    branches = []
    for name, space in policy.namespaces.items():
        if space.services:
            # Go templates read a string of JSON as one of their own, so that a name stays a name.
            services = " ".join(json.dumps(service) for service in space.services)
            suffixed = naming.suffixed(policy, name, environment)
            branches.append(f"eq ({part}) {services} }}}}{suffixed}")
    if not branches:
        return default
    chain = "{{ else if ".join(branches)
    return f"{{{{ if {chain}{{{{ else }}}}{default}{{{{ end }}}}"


def namespaces(policy: documents.Policy, environment: str) -> list[str]:
    """Every namespace that a service of this environment may live in."""
    return list(naming.namespaces_of_services(policy, environment))


def _server(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The destination cluster: Argo CD's own, or one that it knows by its context's name."""
    settings = policy.environments[environment]
    context = environments.workload(settings)
    if context is not None and environments.is_hub(settings):
        return {"name": context}
    return {"server": IN_CLUSTER}


def _keeping(settings: documents.Environment) -> Mapping[str, Any]:
    """What happens when a service leaves the branch, or the set is deleted."""
    if settings.sync == "auto":
        return {"applicationsSync": "sync", "preserveResourcesOnDeletion": False}
    return {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}


def _metadata(policy: documents.Policy, environment: str, name: str) -> Object:
    return {"name": name, "namespace": policy.argocd.namespace, "labels": _labels(environment)}


def _labels(environment: str) -> dict[str, str]:
    return {labels.MANAGED_BY: labels.HANBAE, labels.ENVIRONMENT: environment}
