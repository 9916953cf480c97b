"""The team's own rules as they are committed below ``k8s/admission``, against the policy's."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import subjects
from hanbae.argo import own_rules
from hanbae.policy import environments
from hanbae.rules import rulebook, views
from hanbae.rules.environments import committed_objects

FOLDER: Final = "k8s/admission"
"""Where ``hanbae generate admission`` writes."""

_COMMAND: Final = "hanbae generate admission"


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
    present = set()
    for path in project.tree.files(folder):
        if not path.endswith((".yaml", ".yml")) or posixpath.basename(path).startswith("kustom"):
            continue
        for manifest, places in committed_objects.documents(project, path):
            key = committed_objects.key(manifest)
            present.add(key)
            label = committed_objects.label(manifest)
            pointer = (
                committed_objects.difference(expected[key], manifest) if key in expected else None
            )
            if pointer is not None:
                facts = {"object": label, "field": ".".join(map(str, pointer))[:200] or "."}
                yield rulebook.Hit(places.place(pointer), facts, "differs")
            elif key not in expected and _is_generated(manifest):
                yield rulebook.Hit(places.place(("kind",)), {"object": label}, "rule-left")
    for kind, _, name in sorted(expected.keys() - present):
        if kind == "ValidatingAdmissionPolicy":  # its binding is missing with it
            rule = name
            facts = {"object": f"{kind}/{rule}", "environment": environment}
            yield rulebook.Hit(project.place("rules"), facts, "missing")


def _is_generated(manifest: Mapping[str, Any]) -> bool:
    return str(manifest.get("kind", "")).startswith("ValidatingAdmissionPolicy")
