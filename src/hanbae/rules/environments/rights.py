"""What the deployer may do, as it is committed below ``k8s/rbac``, against what the policy and the services ask for.

An administrator applies these files, so a change to them is a change of rights in the cluster: a wildcard, an
admission policy that is gone, a binding beside the generated ones.
"""

from __future__ import annotations

import itertools
import posixpath
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from hanbae import errors, libyaml, subjects
from hanbae.argo import admitting, authorizing
from hanbae.migrations import declared_databases
from hanbae.policy import environments, naming
from hanbae.releases import rights
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.environments import committed_objects

_SOURCE: Final = "docs: hanbae generate rbac"
_COMMAND: Final = "hanbae generate rbac"
_HEADER_LINES: Final = 10
_CLUSTERS: Final[tuple[authorizing.Cluster, ...]] = ("control", "workload")
_FILES: Final = ("identity.yaml", "roles.yaml", "admission.yaml")
_LISTS: Final = ("verbs", "resources", "apiGroups", "nonResourceURLs")


@rulebook.of_project("ENV017", "error", source=_SOURCE, essential=True)
def deployer_rights(project: views.Project) -> Iterator[rulebook.Hit]:
    """Rights below ``k8s/rbac`` that are wider than, or other than, what ``hanbae generate rbac`` writes."""
    folder = f"{naming.RBAC}/"
    paths = [path for path in project.tree.files(naming.RBAC) if path.startswith(folder)]
    committed = {
        path: committed_objects.documents(project, path)
        for path in paths
        if path.endswith((".yaml", ".yml"))
    }
    for manifests in committed.values():
        for manifest, places in manifests:
            yield from _too_wide(manifest, places)
    deployed = environments.on_kubernetes(project.policy)
    for environment in deployed:
        yield from _differences(project, environment, committed)
    written = committed_objects.generated(project, naming.RBAC, _COMMAND)
    yield from _moved(project, deployed, written)


def _moved(
    project: views.Project, deployed: Sequence[str], written: Collection[str]
) -> Iterator[rulebook.Hit]:
    """Files of an environment that is gone, or whose clusters were split or joined, and what is there instead."""
    folders = {
        naming.rbac_folder(project.policy.environments[name], name, cluster): name
        for name in deployed
        for cluster in authorizing.clusters(project.policy, name)
    }
    present = {posixpath.dirname(path) for path in written}
    for path in sorted(written):
        folder = posixpath.dirname(path)
        if folder not in folders:
            environment = path.removeprefix(f"{naming.RBAC}/").partition("/")[0]
            facts = {"file": path, "environment": environment}
            yield rulebook.Hit(subjects.Place(path), facts, "left")
    for folder, environment in folders.items():
        if written and folder not in present:
            own = any(path.startswith(f"{naming.RBAC}/{environment}/") for path in written)
            place = project.place(f"environments.{environment}")
            facts = {"folder": folder, "environment": environment}
            yield rulebook.Hit(place, facts, "absent", severity=None if own else "notice")


def _too_wide(
    manifest: Mapping[str, Any], places: valuesfiles.ValuesFile
) -> Iterator[rulebook.Hit]:
    """Wildcards in Roles, and subjects that are everybody."""
    label = committed_objects.label(manifest)
    for index, rule in enumerate(_mappings(manifest.get("rules"))):
        for field in _LISTS:
            values = rule.get(field)
            if isinstance(values, list) and "*" in values:
                facts = {"object": label, "field": f"rules[{index}].{field}"}
                yield rulebook.Hit(places.place(("rules", index, field)), facts, "wildcard")
    for index, subject in enumerate(_mappings(manifest.get("subjects"))):
        name = str(subject.get("name"))
        if subject.get("kind") == "Group" and name.startswith("system:"):
            facts = {"object": label, "group": name[:100]}
            yield rulebook.Hit(places.place(("subjects", index)), facts, "group")


def _differences(
    project: views.Project,
    environment: str,
    committed: Mapping[str, Sequence[committed_objects.Document]],
) -> Iterator[rulebook.Hit]:
    settings = project.policy.environments[environment]
    parts: dict[str, list[authorizing.Cluster]] = {}
    for cluster in authorizing.clusters(project.policy, environment):
        folder = naming.rbac_folder(settings, environment, cluster)
        parts.setdefault(folder, []).append(cluster)
    for folder, of_folder in parts.items():
        inside = {path: files for path, files in committed.items() if path.startswith(f"{folder}/")}
        names = {path.removeprefix(f"{folder}/") for path in inside}
        if names.isdisjoint(_FILES):
            continue  # nothing was generated here; what is left of another layout is reported by itself
        if folder == f"{naming.RBAC}/{environment}":
            # Not split: what is left below it is of the time when it was.
            inside = {path: manifests for path, manifests in inside.items() if not _of_part(path)}
        for name in (*_FILES, committed_objects.KUSTOMIZATION):
            if name not in names:
                facts = {"file": f"{folder}/{name}", "environment": environment}
                yield rulebook.Hit(subjects.Place(f"{folder}/{name}"), facts, "missing")
        if committed_objects.KUSTOMIZATION in names:
            for deviation in committed_objects.kustomization(project, folder, _FILES):
                file = f"{folder}/{committed_objects.KUSTOMIZATION}"
                facts = {"object": file, "field": deviation.shown}
                yield rulebook.Hit(deviation.place, facts, "differs")
        yield from _objects(project, environment, folder, of_folder, inside)


def _of_part(path: str) -> bool:
    """Whether a file is below ``control`` or ``workload``, the folders of an environment with two clusters."""
    return posixpath.basename(posixpath.dirname(path)) in _CLUSTERS


def _objects(
    project: views.Project,
    environment: str,
    folder: str,
    clusters: Sequence[authorizing.Cluster],
    inside: Mapping[str, Sequence[committed_objects.Document]],
) -> Iterator[rulebook.Hit]:
    """Objects that are other than the generated ones, are missing, or are there beside them."""
    try:
        described = [_described(project, name, environment) for name in _names(project)]
    except errors.FileFault:
        return  # what cannot be generated cannot be compared; the fault itself is reported elsewhere
    services = [service for service, _ in described]
    are_read = all(is_read for _, is_read in described)
    policy = project.policy
    by_helm = environments.by_helm(policy, environment)
    groups = _groups(project, inside, environment)
    expected: dict[committed_objects.Key, Mapping[str, Any]] = {
        committed_objects.key(manifest): manifest
        for manifest in (
            *authorizing.identity(policy, environment),
            *authorizing.roles(policy, environment, services, clusters=clusters, groups=groups),
            *admitting.policies(policy, environment, services, clusters=clusters, groups=groups),
        )
    }
    present = set()
    applied = {f"{folder}/{name}" for name in _FILES}
    for path, documents in inside.items():
        if path == f"{folder}/{committed_objects.KUSTOMIZATION}":
            continue
        for manifest, places in documents:
            key = committed_objects.key(manifest)
            # In another file it may be as it has to be, and is not applied.
            if path in applied:
                present.add(key)
            if key not in expected:
                facts = {"object": committed_objects.label(manifest), "environment": environment}
                yield rulebook.Hit(places.place(("kind",)), facts, "other")
                continue
            pair = (expected[key], manifest)
            ours, theirs = pair if are_read else (_without_services(part, by_helm) for part in pair)
            pointer = committed_objects.difference(ours, theirs)
            if pointer is not None:
                field = ".".join(map(str, pointer))[:200] or "."
                facts = {"object": committed_objects.label(manifest), "field": field}
                yield rulebook.Hit(places.place(pointer), facts, "differs")
    for key in sorted(expected.keys() - present):
        facts = {"file": f"{key[0]}/{key[2]}", "environment": environment}
        yield rulebook.Hit(subjects.Place(folder), facts, "missing")


def _names(project: views.Project) -> list[str]:
    names = sorted({*project.services, *project.chartless})
    return [name for name in names if naming.is_service(name)]


def _described(
    project: views.Project, service: str, environment: str
) -> tuple[authorizing.Service, bool]:
    """A service as the permissions depend on it, and whether that is known.

    What only rendered Jobs say is known of the services that were inspected.
    """
    read = project.rights.get((service, environment))
    if service in project.chartless:
        absent = environment not in project.chartless[service]
        return read or authorizing.Service(service), absent or read is not None
    path = str(naming.values_file(project.policy, service, environment))
    data = libyaml.mapping(project.text(path) or "") or {}
    if not data or declared_databases.are_declared(data):
        place = subjects.Place(path)
        declared = rights.declared(project.policy, service, environment, data, place)
        if not data or not environments.by_helm(project.policy, environment):
            return declared, True
        # Where Helm applies a chart, the deployer writes the kinds that are in it, and only
        # rendering tells these.
        rendered = read or declared
        whole = structs.replace(declared, kinds=rendered.kinds, secrets=rendered.secrets)
        return whole, read is not None
    return read or authorizing.Service(service), read is not None


def _without_services(manifest: Mapping[str, Any], by_helm: bool) -> dict[str, Any]:
    """An admission policy without what it lists of services; of a Role under Helm, what follows from charts."""
    if by_helm and manifest.get("kind") == "Role":
        return {key: value for key, value in manifest.items() if key != "rules"}
    spec = manifest.get("spec")
    variables = spec.get("variables") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(variables, list):
        return dict(manifest)
    others = [
        variable
        for variable in variables
        if not (isinstance(variable, dict) and variable.get("name") in {"services", "made"})
    ]
    return {**manifest, "spec": {**spec, "variables": others}}


def _groups(
    project: views.Project,
    inside: Mapping[str, Sequence[committed_objects.Document]],
    environment: str,
) -> list[str]:
    """The groups that the files were generated for, which only the command in their first lines says."""
    path = next((path for path in inside if path.endswith("/roles.yaml")), "")
    for line in (project.text(path) or "").splitlines()[:_HEADER_LINES]:
        _, command, options = line.partition(f"{_COMMAND} --env {environment}")
        if line.startswith("#") and command:
            try:
                words = shlex.split(options.partition("`")[0])
            except ValueError:
                return []
            return [name for flag, name in itertools.pairwise(words) if flag == "--group"]
    return []


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    # What is no mapping keeps its place, so that indices are those of the file.
    for part in value if isinstance(value, list) else ():
        yield part if isinstance(part, dict) else {}
