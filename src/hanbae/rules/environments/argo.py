"""What Argo CD is told of the environments: the generated files, and Applications that somebody wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from hanbae import subjects
from hanbae.argo import generating, sync_windows
from hanbae.policy import documents, environments, naming
from hanbae.rules import application_sources, declaring, rulebook, views
from hanbae.rules.argo import sets
from hanbae.rules.environments import committed_objects, specs

FOLDER: Final = "k8s/argocd"
"""Where ``hanbae generate argocd`` writes."""

LIVE: Final = "ENV016"
"""The rule over the Applications in a cluster."""

_POLICY: Final = "deployment-policy.ko.md, 환경"
_MARK: Final = "hanbae generate argocd"
_HEAD: Final = 400
_LONGEST: Final = 300
"""Characters of what one Application sets."""
_GENERATED: Final = ("applicationset.yaml", "project.yaml")
_FILES: Final = (*_GENERATED, committed_objects.KUSTOMIZATION)
# What is said of a running Application is mended where the policy says it, or by generating again.
_KEYS: Final = {
    "branch": "branch",
    "sync": "sync",
    "values": "values",
    "namespace": "namespace_suffix",
}


@rulebook.of_project("ENV001", "warning", source="docs: hanbae generate argocd", essential=False)
def missing_or_left(project: views.Project) -> Iterator[rulebook.Hit]:
    """Generated files that are not there, or of an environment that is no longer in the policy."""
    files = project.tree.files(FOLDER)
    if not files:
        return
    deployed = _deployed(project)
    for name in deployed:
        absent = [file for file in _FILES if f"{FOLDER}/{name}/{file}" not in files]
        own = len(absent) < len(_FILES)
        others = any(path.startswith(f"{FOLDER}/{other}/") for other in deployed for path in files)
        if absent and (own or others):
            facts = {"files": ", ".join(absent), "environment": name}
            yield rulebook.Hit(project.place(f"environments.{name}"), facts, "missing")
    for path in files:
        environment = path.removeprefix(f"{FOLDER}/").partition("/")[0]
        if environment not in deployed and _MARK in (project.text(path) or "")[:_HEAD]:
            yield rulebook.Hit(subjects.Place(path), {"environment": environment}, "left")


@rulebook.of_project("ENV002", "error", source=_POLICY, essential=True)
def contradicting(project: views.Project) -> Iterator[rulebook.Hit]:
    """An Application, or a generated set, that says something else than the policy."""
    for declared in project.declared:
        for difference in _differences(project, declared):
            if not _elsewhere(difference):
                facts = {"object": declared.label, **difference.facts}
                yield rulebook.Hit(declared.place(*difference.pointer), facts, difference.variant)
    generated = {
        declared.places.file for declared in project.declared if _is_ours(project, declared)
    }
    for name in _deployed(project):
        folder = f"{FOLDER}/{name}"
        if generated >= {f"{folder}/{file}" for file in _GENERATED}:
            yield from _kustomized(project, folder)


def _kustomized(project: views.Project, folder: str) -> Iterator[rulebook.Hit]:
    """What a kustomization makes of the generated files, or leaves out; what it adds is looked at by itself."""
    path = f"{folder}/{committed_objects.KUSTOMIZATION}"
    if path not in project.tree.files(folder):
        return  # that is said of the environment
    for deviation in committed_objects.kustomization(project, folder, _GENERATED):
        if not deviation.is_extra:
            facts = {
                "object": path,
                "field": deviation.field,
                "wanted": deviation.expected or "-",
                "found": deviation.present or "-",
            }
            yield rulebook.Hit(deviation.place, facts, "field")


def _is_ours(project: views.Project, declared: declaring.Declared) -> bool:
    """Whether an object is called as the one that hanbae generates in its place."""
    environment = declared.places.file.removeprefix(f"{FOLDER}/").partition("/")[0]
    return environment in _deployed(project) and declared.name in (
        naming.project(project.policy, environment),
        naming.application_set(project.policy, environment),
    )


def _elsewhere(difference: specs.Difference) -> bool:
    """Whether the rules about Argo CD say it: branch, release, and automation where a person syncs."""
    if difference.variant == "sync":
        return difference.policy == "manual"
    if difference.variant == "branch" or difference.pointer[-1] == "revision":
        return True
    # Those rules look at the template of a set, not at those of its generators.
    return difference.pointer[-1] == "releaseName" and "generators" not in difference.pointer


def _differences(
    project: views.Project, declared: declaring.Declared
) -> Iterator[specs.Difference]:
    policy, document, name = project.policy, declared.data, declared.name
    if declared.kind == "Application":
        for environment in project.environments:
            service = project.shared.application_names(environment).get(name)
            if service is not None:
                by_hand = _by_hand(project, environment)
                expected = generating.application(policy, service, environment)
                yield from (
                    deviation
                    for deviation in specs.application(document, expected)
                    if (deviation.variant != "sync" or not by_hand)
                    and not _is_the_teams_own(policy, deviation)
                )
        return
    path = declared.places.file
    if declared.kind == "ApplicationSet":
        yield from _expanded(project, declared)
    environment = path.removeprefix(f"{FOLDER}/").partition("/")[0]
    if not path.startswith(f"{FOLDER}/") or environment not in _deployed(project):
        return
    if declared.kind == "AppProject" and name == naming.project(policy, environment):
        difference = specs.anything(*_projects(policy, environment, document))
        yield from () if difference is None else (difference,)
    elif name == naming.application_set(policy, environment):
        yield from _set(document, generating.application_set(policy, environment))


def _projects(
    policy: documents.Policy, environment: str, document: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """An AppProject, and how it would be generated: what follows from the year, `generate argocd --check` compares."""
    expected = generating.project(policy, environment)
    spec = document.get("spec")
    if not sync_windows.has_days(policy, environment) or not isinstance(spec, Mapping):
        return document, expected
    compared = {key: value for key, value in spec.items() if key != "syncWindows"}
    expected["spec"].pop("syncWindows", None)
    return {**document, "spec": compared}, expected


def _is_the_teams_own(policy: documents.Policy, difference: specs.Difference) -> bool:
    """Whether a repository that hanbae did not lay may say so: its AppProject, and what ARG046 says of values."""
    own = difference.pointer == ("spec", "project") or difference.variant == "override"
    return policy.profile == "essential" and own


def _expanded(project: views.Project, declared: declaring.Declared) -> Iterator[specs.Difference]:
    """What the Applications that a set makes say otherwise; for each field of its template once.

    The set that ``hanbae generate argocd`` writes is compared as a whole.
    """
    if _generated_for(project, declared):
        return
    differences: dict[tuple[str, specs.Pointer], specs.Difference] = {}
    expansion = next((e for e in sets.expansions(project) if e.declared is declared), None)
    for application in expansion.applications if expansion is not None else ():
        metadata = application.document.get("metadata")
        name = str(metadata.get("name")) if isinstance(metadata, Mapping) else ""
        for environment in project.environments:
            service = project.shared.application_names(environment).get(name)
            if service is None:
                continue
            expected = generating.application(project.policy, service, environment)
            for difference in specs.application(application.document, expected):
                by_hand = difference.variant == "sync" and _by_hand(project, environment)
                own = difference.pointer == ("spec", "project")
                own = own or _is_the_teams_own(project.policy, difference)
                if not (by_hand or own or "{{" in difference.present):
                    # Each Application of a set has the same fault at the same field of the
                    # template, which is told once.
                    pointer = ("spec", "template", *difference.pointer)
                    in_set = msgspec.structs.replace(difference, pointer=pointer)
                    differences.setdefault((difference.variant, pointer), in_set)
    yield from differences.values()


def _generated_for(project: views.Project, declared: declaring.Declared) -> bool:
    path = declared.places.file
    environment = path.removeprefix(f"{FOLDER}/").partition("/")[0]
    return (
        path.startswith(f"{FOLDER}/")
        and environment in _deployed(project)
        and declared.name == naming.application_set(project.policy, environment)
    )


def _set(document: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[specs.Difference]:
    spec = document.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    differences: tuple[specs.Difference, ...] = ()
    if isinstance(template, Mapping) and generating.has_source(expected["spec"]["template"]):
        differences = tuple(specs.application(template, expected["spec"]["template"]))
    for difference in differences:
        pointer = ("spec", "template", *difference.pointer)
        yield specs.Difference(difference.variant, pointer, difference.policy, difference.present)
    rest = specs.anything(document, expected)
    if rest is not None and not differences:
        yield rest


def _by_hand(project: views.Project, environment: str) -> bool:
    """Whether some services of the environment are automated and others not: the policy alone does not say which."""
    settings = project.policy.environments[environment]
    return settings.sync == "auto" and settings.database_changes == "manual"


def _deployed(project: views.Project) -> list[str]:
    return list(environments.deployed_by_argocd(project.policy))


# An Application in a cluster that contradicts the policy, which ``hanbae check --live`` looks for.
rulebook.reported(LIVE, "error", "project", source=_POLICY, essential=True)


def live(
    project: views.Project, service: str, environment: str, application: Mapping[str, Any] | None
) -> Iterator[rulebook.Hit]:
    """What an Application in the cluster says otherwise than the policy.

    Args:
        project: The repository.
        service: The service.
        environment: The environment.
        application: The Application; None where there is none.
    """
    name = naming.application(project.policy, service, environment)
    if application is None:
        place = project.place(f"environments.{environment}")
        facts = {"application": name, "environment": environment}
        yield rulebook.Hit(place, facts, "absent", severity="warning")
        return
    expected = generating.application(project.policy, service, environment)
    for difference in specs.application(application, expected):
        if difference.variant == "sync" and _by_hand(project, environment):
            continue
        if difference.variant == "override" or _is_the_teams_own(project.policy, difference):
            continue
        key = _KEYS.get(difference.variant)
        place = project.place(f"environments.{environment}{f'.{key}' if key else ''}")
        yield rulebook.Hit(place, {"application": name, **difference.facts}, difference.variant)
    names = overridden(project, service, environment, application)
    if names:
        place = project.place(f"environments.{environment}")
        facts = {"application": name, "names": ", ".join(names)[:_LONGEST]}
        yield rulebook.Hit(place, facts, "override")


def overridden(
    project: views.Project, service: str, environment: str, application: Mapping[str, Any]
) -> tuple[str, ...]:
    """What an Application in the cluster sets and nothing in git says, besides its values files.

    Args:
        project: The repository.
        service: The service.
        environment: The environment.
        application: The Application.
    """
    policy = project.policy
    if not application_sources.is_about(policy, service, environment, application):
        return ()
    names = application_sources.live_settings(
        policy,
        service,
        environment,
        live=application_sources.of_live(policy, service, environment, application),
        former=project.shared.written(service, environment),
    )
    return tuple(name for name in names if name != application_sources.VALUES_FILES)


def left(
    project: views.Project, environment: str, service: str, application: Mapping[str, Any]
) -> Iterator[rulebook.Hit]:
    """An Application that hanbae made for a service that the repository no longer has.

    Args:
        project: The repository.
        environment: The environment.
        service: The service that its label names.
        application: The Application.
    """
    if service not in project.services and service not in project.chartless:
        metadata = application.get("metadata")
        name = str(metadata.get("name")) if isinstance(metadata, Mapping) else "-"
        facts = {"application": name, "service": service or "-"}
        place = project.place(f"environments.{environment}")
        yield rulebook.Hit(place, facts, "unknown", severity="notice")
