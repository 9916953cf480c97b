"""What Argo CD is told of the environments: the generated files, and Applications that somebody wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import subjects
from hanbae.argo import generating
from hanbae.policy import naming
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.environments import specs

FOLDER: Final = "k8s/argocd"
"""Where ``hanbae generate argocd`` writes."""

LIVE: Final = "ENV016"
"""The rule over the Applications in a cluster."""

_POLICY: Final = "deployment-policy.ko.md, 환경"
_MARK: Final = "hanbae generate argocd"
_HEAD: Final = 400
_FILES: Final = ("applicationset.yaml", "kustomization.yaml", "project.yaml")
_MOST_DOCUMENTS: Final = 2000
# What is said of a running Application is mended where the policy says it, or by generating again.
_KEYS: Final = {
    "branch": "branch",
    "sync": "sync",
    "values": "values",
    "namespace": "namespace_suffix",
}


@rulebook.of_project("ENV001", "warning", source="docs: hanbae generate argocd")
def missing_or_left(project: views.Project) -> Iterator[rulebook.Hit]:
    """Generated files that are not there, or of an environment that is no longer in the policy."""
    files = project.tree.files(FOLDER)
    if not files:
        return
    deployed = _deployed(project)
    for name in deployed:
        absent = [each for each in _FILES if f"{FOLDER}/{name}/{each}" not in files]
        own = len(absent) < len(_FILES)
        others = any(path.startswith(f"{FOLDER}/{other}/") for other in deployed for path in files)
        if absent and (own or others):
            facts = {"files": ", ".join(absent), "environment": name}
            yield rulebook.Hit(project.place(f"environments.{name}"), facts, "missing")
    for path in files:
        environment = path.removeprefix(f"{FOLDER}/").partition("/")[0]
        if environment not in deployed and _MARK in (project.text(path) or "")[:_HEAD]:
            yield rulebook.Hit(subjects.Place(path), {"environment": environment}, "left")


@rulebook.of_project("ENV002", "error", source=_POLICY)
def contradicting(project: views.Project) -> Iterator[rulebook.Hit]:
    """An Application, or a generated set, that says something else than the policy."""
    for path in project.others:
        if not path.endswith((".yaml", ".yml")):
            continue
        text = project.text(path)
        if text is None or "argoproj.io/" not in text:
            continue
        for at, thing in _documents(text):
            yield from _against_policy(project, path, at, thing)


def _against_policy(
    project: views.Project, path: str, at: int, thing: Mapping[str, Any]
) -> Iterator[rulebook.Hit]:
    """The differences of one object, at the lines of its file."""
    differences = tuple(_differences(project, path, thing))
    if not differences:
        return
    parsed = _placed(project.text(path) or "", path, at)
    metadata = thing.get("metadata")
    name = str(metadata.get("name", "-")) if isinstance(metadata, Mapping) else "-"
    for each in differences:
        facts = {"object": f"{thing.get('kind')}/{name}", **each.facts}
        yield rulebook.Hit(parsed.place(each.pointer), facts, each.variant)


def _differences(
    project: views.Project, path: str, thing: Mapping[str, Any]
) -> Iterator[specs.Difference]:
    kind, metadata = thing.get("kind"), thing.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    policy = project.policy
    if kind == "Application":
        for environment in project.environments:
            service = str(name).removesuffix(f"-{environment}")
            if service != name and service in project.services:
                by_hand = _by_hand(project, environment)
                wanted = generating.application(policy, service, environment)
                found = specs.application(thing, wanted)
                yield from (each for each in found if each.variant != "sync" or not by_hand)
        return
    environment = path.removeprefix(f"{FOLDER}/").partition("/")[0]
    if not path.startswith(f"{FOLDER}/") or environment not in _deployed(project):
        return
    if kind == "AppProject" and name == naming.project(policy, environment):
        difference = specs.anything(thing, generating.project(policy, environment))
        yield from () if difference is None else (difference,)
    elif kind == "ApplicationSet" and name == naming.application_set(policy, environment):
        yield from _set(thing, generating.application_set(policy, environment))


def _set(thing: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[specs.Difference]:
    spec = thing.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    found = ()
    if isinstance(template, Mapping):
        found = tuple(specs.application(template, wanted["spec"]["template"]))
    for each in found:
        pointer = ("spec", "template", *each.pointer)
        yield specs.Difference(each.variant, pointer, each.wanted, each.found)
    rest = specs.anything(thing, wanted)
    if rest is not None and not found:
        yield rest


def _by_hand(project: views.Project, environment: str) -> bool:
    """Whether some services of the environment are automated and others not: the policy alone does not say which."""
    settings = project.policy.environments[environment]
    return settings.sync == "auto" and settings.database_changes == "manual"


def _deployed(project: views.Project) -> list[str]:
    environments = project.policy.environments
    return [name for name in project.environments if environments[name].engine == "argocd"]


def _documents(text: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The objects in a file by their place in it; none in a file that is no YAML."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        every = list(zip(range(_MOST_DOCUMENTS), yaml.load_all(text, Loader=loader), strict=False))
    except (yaml.YAMLError, RecursionError, ValueError):
        return []
    return [(at, thing) for at, thing in every if isinstance(thing, Mapping)]


def _placed(text: str, path: str, at: int) -> valuesfiles.ValuesFile:
    """Where the parts of a file's document stand: those of the others are made empty lines."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    marks = [(event.start_mark.line, event.end_mark.line) for event in _starts(yaml, text, loader)]
    first = marks[at][0] if at < len(marks) else 0
    after = marks[at + 1][0] if at + 1 < len(marks) else None
    lines = text.splitlines(keepends=True)[first:after]
    return valuesfiles.parse(("\n" * first + "".join(lines)).encode(), path)


def _starts(yaml: Any, text: str, loader: Any) -> Iterator[Any]:
    return (
        each
        for each in yaml.parse(text, Loader=loader)
        if type(each).__name__ == "DocumentStartEvent"
    )


@rulebook.of_project(LIVE, "error", source=_POLICY)
def in_cluster(_: views.Project) -> Iterator[rulebook.Hit]:
    """An Application in a cluster that says something else: found by ``hanbae check --live``, only named here."""
    yield from ()


def live(
    project: views.Project, service: str, environment: str, found: Mapping[str, Any] | None
) -> Iterator[rulebook.Hit]:
    """What an Application in the cluster says otherwise than the policy.

    Args:
        project: The repository.
        service: The service.
        environment: The environment.
        found: The Application; None where there is none.
    """
    name = naming.application(service, environment)
    if found is None:
        place = project.place(f"environments.{environment}")
        facts = {"application": name, "environment": environment}
        yield rulebook.Hit(place, facts, "absent", severity="warning")
        return
    wanted = generating.application(project.policy, service, environment)
    for each in specs.application(found, wanted):
        if each.variant == "sync" and _by_hand(project, environment):
            continue
        key = _KEYS.get(each.variant)
        place = project.place(f"environments.{environment}{f'.{key}' if key else ''}")
        yield rulebook.Hit(place, {"application": name, **each.facts}, each.variant)
