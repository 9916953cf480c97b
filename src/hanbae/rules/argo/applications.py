"""Applications and ApplicationSets among the files: when Argo CD syncs, how often it tries, and with what options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import subjects
from hanbae.policy import documents, folders, naming, service_paths
from hanbae.rules import declaring, rulebook, views
from hanbae.rules.argo import registering as argo
from hanbae.rules.argo.spelling import OPTIONS, is_option, near, written

_AUTO: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/"
_GENERATED: Final = "k8s/argocd"
_BOOLEAN: Final = ("true", "false")
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    # Argo CD reads Force on single objects only.
    **{name: values for name, values in OPTIONS.items() if name != "Force"},
    "ApplyOutOfSyncOnly": _BOOLEAN,
    "ClientSideApplyMigration": _BOOLEAN,
    "CreateNamespace": _BOOLEAN,
    "FailOnSharedResource": _BOOLEAN,
    "PrunePropagationPolicy": ("foreground", "background", "orphan"),
    "RespectIgnoreDifferences": _BOOLEAN,
}


class Spec(Struct, frozen=True):
    """What an Application, or the template of a set, says.

    Attributes:
        declared: The object.
        keys: Where its spec stands in it.
        environment: The environment that it belongs to; empty for none that is known.
        settings: What the policy says of that environment.
        held: Whether it is one that the policy makes: ENV002 holds its values files, project and destination against
            the policy already.
    """

    declared: declaring.Declared
    keys: declaring.Keys
    environment: str
    settings: documents.Environment | None
    held: bool

    def get(self, *keys: str | int) -> Any:
        """A part of the spec."""
        return self.declared.get(*self.keys, *keys)

    def place(self, *keys: str | int) -> subjects.Place:
        """Where a part of the spec stands."""
        return self.declared.place(*self.keys, *keys)

    @property
    def metadata(self) -> declaring.Keys:
        """Where the metadata of the Application stands."""
        return (*self.keys[:-1], "metadata")


def specs(project: views.Project) -> Iterator[Spec]:
    """The Applications among the files, and the templates of the sets."""
    for declared in project.declared:
        if declared.kind == "AppProject":
            continue
        pointer: declaring.Keys = (
            ("spec",) if declared.kind == "Application" else ("spec", "template", "spec")
        )
        environment = declared.environment(project.policy)
        settings = project.policy.environments.get(environment)
        yield Spec(declared, pointer, environment, settings, _is_policys(project, declared))


def _is_policys(project: views.Project, declared: declaring.Declared) -> bool:
    """Whether the policy makes an object of this name."""
    if declared.kind == "Application":
        return any(
            declared.name == naming.application(project.policy, service, environment)
            for environment in project.environments
            for service in project.services
        )
    return any(
        declared.name == naming.application_set(project.policy, environment)
        and declared.places.file.startswith(f"{_GENERATED}/{environment}/")
        for environment in project.environments
    )


def automated(spec: Spec) -> bool:
    """Whether Argo CD starts syncs itself."""
    policy = spec.get("syncPolicy")
    if not isinstance(policy, dict) or "automated" not in policy:
        return False
    value = policy["automated"]
    # An empty `automated`, or one with prune and selfHeal off, still is automated (argo-cd#19726).
    return isinstance(value, dict) and value.get("enabled") is not False


@rulebook.of_project("ARG031", "error", source=_AUTO, essential=True)
def automated_by_mistake(project: views.Project) -> Iterator[rulebook.Hit]:
    """Automated sync where the policy says that a person syncs."""
    for spec in specs(project):
        if not automated(spec) or (spec.settings is not None and spec.settings.sync == "auto"):
            continue
        if project.policy.profile == "essential" and not _deploys_a_service(project, spec):
            continue  # an application of Applications, or what serves the cluster
        value = spec.get("syncPolicy", "automated")
        off = value.get("prune") is False and value.get("selfHeal") is False
        facts = {"object": spec.declared.label, "environment": spec.environment}
        place = spec.place("syncPolicy", "automated")
        if spec.settings is not None:
            yield rulebook.Hit(place, facts, "off" if off else "")
        elif off:
            yield rulebook.Hit(place, facts, "unknown", severity="warning")


def _deploys_a_service(project: views.Project, spec: Spec) -> bool:
    """Whether one of its sources may be the folder of a service; expressions may be any."""
    services = project.policy.services
    deployed = {
        folders.normal(
            service_paths.chartless_folder(services, name, spec.environment)
            or str(naming.chart(project.policy, name))
        )
        for name in (*project.services, *project.chartless)
    }
    several = spec.get("sources")
    listed = several if isinstance(several, list) else [spec.get("source")]
    paths = [source.get("path") for source in listed if isinstance(source, dict)]
    return spec.held or any("{{" in str(path) or folders.normal(path) in deployed for path in paths)


@rulebook.of_project(
    "ARG032", "warning", source="https://github.com/argoproj/argo-cd/issues/15624", essential=False
)
def retries(project: views.Project) -> Iterator[rulebook.Hit]:
    """Retries: each runs everything again, migrations included."""
    for spec in specs(project):
        retry = spec.get("syncPolicy", "retry")
        facts = {"object": spec.declared.label}
        if isinstance(retry, dict):
            limit = retry.get("limit", 0)
            if str(limit) not in {"0", "None"}:
                more = {**facts, "limit": str(limit)[:20]}
                yield rulebook.Hit(spec.place("syncPolicy", "retry", "limit"), more)
        # Without a `retry` of its own, an automated sync is tried five times.
        elif automated(spec):
            yield rulebook.Hit(spec.place("syncPolicy", "automated"), facts, "default")


@rulebook.of_project("ARG033", "error", source=argo.OPTIONS, essential=True)
def unknown_option(project: views.Project) -> Iterator[rulebook.Hit]:
    """A sync option that no Application can have."""
    for spec in specs(project):
        for index, option in _sync_options(spec):
            if is_option(option, _OPTIONS):
                continue
            facts = {
                "object": spec.declared.label,
                "value": option[:60],
                "known": near(option, written(_OPTIONS)),
            }
            variant = "force" if option.startswith("Force=") else ""
            yield rulebook.Hit(spec.place("syncPolicy", "syncOptions", index), facts, variant)


@rulebook.of_project("ARG034", "warning", source=argo.OPTIONS, essential=False)
def namespace_without_labels(project: views.Project) -> Iterator[rulebook.Hit]:
    """`CreateNamespace=true` without labels: the namespace comes without its pod-security level."""
    for spec in specs(project):
        labels = spec.get("syncPolicy", "managedNamespaceMetadata", "labels")
        enforced = isinstance(labels, dict) and "pod-security.kubernetes.io/enforce" in labels
        for index, option in _sync_options(spec):
            if option == "CreateNamespace=true" and not enforced:
                place = spec.place("syncPolicy", "syncOptions", index)
                yield rulebook.Hit(place, {"object": spec.declared.label})


def _sync_options(spec: Spec) -> Iterator[tuple[int, str]]:
    value = spec.get("syncPolicy", "syncOptions")
    for index, option in enumerate(value if isinstance(value, list) else ()):
        yield index, str(option)


@rulebook.of_project(
    "ARG035", "warning", source="https://github.com/argoproj/argo-cd/issues/22795", essential=False
)
def healed_instead_of_synced(project: views.Project) -> Iterator[rulebook.Hit]:
    """`manifest-generate-paths` with self-heal: a new commit may come as a sync without hooks."""
    key = "argocd.argoproj.io/manifest-generate-paths"
    for spec in specs(project):
        annotations = spec.declared.get(*spec.metadata, "annotations")
        heals = automated(spec) and spec.get("syncPolicy", "automated", "selfHeal") is True
        if heals and isinstance(annotations, dict) and key in annotations:
            place = spec.declared.place(*spec.metadata, "annotations", key)
            yield rulebook.Hit(place, {"object": spec.declared.label})


@rulebook.of_project(
    "ARG036",
    "warning",
    source="https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/",
    essential=False,
)
def missing_keys_are_text(project: views.Project) -> Iterator[rulebook.Hit]:
    """A set whose expressions may name what is not there: Go writes `<no value>` instead of failing."""
    for declared in project.declared:
        if declared.kind != "ApplicationSet" or declared.get("spec", "goTemplate") is not True:
            continue
        options = declared.get("spec", "goTemplateOptions")
        if not isinstance(options, list) or "missingkey=error" not in options:
            place = declared.place("spec", "goTemplateOptions" if options else "goTemplate")
            yield rulebook.Hit(place, {"object": declared.label})
