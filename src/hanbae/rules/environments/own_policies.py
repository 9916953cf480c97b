"""The team's own rules as they are committed below ``k8s/admission``, against the policy's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import subjects
from hanbae.argo import own_rules
from hanbae.policy import environments
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.environments import committed_objects
from hanbae.rules.kustomize import scanning

FOLDER: Final = "k8s/admission"
"""Where ``hanbae generate admission`` writes."""

_COMMAND: Final = "hanbae generate admission"
_FILES: Final = ("rules.yaml",)
_POLICY: Final = "ValidatingAdmissionPolicy"


@rulebook.of_project("ENV019", "error", source="docs: hanbae generate admission", essential=True)
def other_policies(project: views.Project) -> Iterator[rulebook.Hit]:
    """Admission policies that are missing, left over, or other than the policy's rules, where any were written."""
    written = committed_objects.generated(project, FOLDER, _COMMAND)
    if not written:
        return
    deployed = environments.on_kubernetes(project.policy)
    for path in sorted(written):
        environment = path.removeprefix(f"{FOLDER}/").partition("/")[0]
        if environment not in deployed or not own_rules.policies(project.policy, environment):
            yield rulebook.Hit(subjects.Place(path), {"environment": environment}, "left")
    for environment in deployed:
        yield from _of(project, environment)


def _of(project: views.Project, environment: str) -> Iterator[rulebook.Hit]:
    expected: dict[committed_objects.Key, Mapping[str, Any]] = {
        committed_objects.key(manifest): manifest
        for manifest in own_rules.policies(project.policy, environment)
    }
    if not expected:
        return
    folder = f"{FOLDER}/{environment}"
    # Without a kustomization of any name, `kubectl apply -f` or a directory source applies every file in it.
    is_kustomized = scanning.named(project.tree, folder) is not None
    present: set[committed_objects.Key] = set()
    for path in project.tree.files(folder):
        if not path.endswith((".yaml", ".yml")):
            continue
        objects = committed_objects.documents(project, path)
        # A kustomization applies no other file, whatever is in it.
        name = path.removeprefix(f"{folder}/")
        if name in _FILES or not (is_kustomized or "/" in name):
            present |= {committed_objects.key(manifest) for manifest, _ in objects}
        for manifest, places in objects:
            yield from _compared(manifest, places, expected)
    missing = expected.keys() - present
    for kind, namespace, name in sorted(missing):
        # A binding is missing with its policy; alone it is told, for without it nothing is refused.
        if kind == _POLICY or (_POLICY, namespace, name) not in missing:
            facts = {"object": f"{kind}/{name}", "environment": environment}
            yield rulebook.Hit(project.place("rules"), facts, "missing")
    if present and is_kustomized:
        yield from _kustomized(project, environment, folder)


def _compared(
    manifest: Mapping[str, Any],
    places: valuesfiles.ValuesFile,
    expected: Mapping[committed_objects.Key, Mapping[str, Any]],
) -> Iterator[rulebook.Hit]:
    """What an object says otherwise than the policy's rule, or without one."""
    key, label = committed_objects.key(manifest), committed_objects.label(manifest)
    pointer = committed_objects.difference(expected[key], manifest) if key in expected else None
    if pointer is not None:
        facts = {"object": label, "field": ".".join(map(str, pointer))[:200] or "."}
        yield rulebook.Hit(places.place(pointer), facts, "differs")
    elif key not in expected and _is_generated(manifest):
        yield rulebook.Hit(places.place(("kind",)), {"object": label}, "rule-left")


def _kustomized(project: views.Project, environment: str, folder: str) -> Iterator[rulebook.Hit]:
    """What the kustomization makes of the files, or leaves out; policies that it adds take nothing away."""
    path = f"{folder}/{committed_objects.KUSTOMIZATION}"
    if path not in project.tree.files(folder):  # but one of another name
        facts = {"object": committed_objects.KUSTOMIZATION, "environment": environment}
        yield rulebook.Hit(subjects.Place(path), facts, "missing")
        return
    for deviation in committed_objects.kustomization(project, folder, _FILES):
        if not deviation.is_extra:
            yield rulebook.Hit(
                deviation.place, {"object": path, "field": deviation.shown}, "differs"
            )


def _is_generated(manifest: Mapping[str, Any]) -> bool:
    return str(manifest.get("kind", "")).startswith(_POLICY)
