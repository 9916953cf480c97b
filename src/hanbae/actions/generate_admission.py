"""Writes the team's own rules into ``k8s/admission/<environment>``: what the cluster then refuses, or warns of."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from hanbae import errors
from hanbae.argo import own_rules
from hanbae.charts import filling
from hanbae.policy import documents
from hanbae.policy import environments as policy_environments
from hanbae.repository import generated_files, services
from hanbae.results import files
from hanbae.rules import compiled_expressions

FOLDER: Final = "k8s/admission"
_MARK: Final = "hanbae generate admission"


def generate_admission(
    directory: Path, *, environments: Collection[str] = (), check: bool = False
) -> tuple[files.FileChange, ...]:
    """Write a ValidatingAdmissionPolicy and its binding for each of the policy's own rules.

    Args:
        directory: The repository or a folder in it.
        environments: Only these; all by default.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that is not on Kubernetes.
        errors.FileFault: The policy has a fault, or an expression that the API server would not take.
    """
    loaded = services.opened(directory)
    # What cannot be compiled here, the API server would refuse when the policy is applied.
    for index, rule in loaded.policy.own_rules.items():
        try:
            compiled_expressions.compiled(rule.expression)
        except compiled_expressions.Unusable as unusable:
            place = loaded.place(f"rules[{index}].expression")
            raise errors.FileFault(
                "policy.unusable-expression", place=place, id=rule.id, reason=str(unusable)
            ) from unusable
    files: dict[str, str] = {}
    for name in policy_environments.chosen(loaded.policy, environments):
        files |= manifests(loaded.policy, name)
    # Where some environments are named, files that nothing asks for any more are looked for in
    # theirs alone: the other environments' files are not among `files`.
    folders = [f"{FOLDER}/{name}" for name in environments] or [FOLDER]
    return generated_files.write(loaded.root, files, folders=folders, mark=_MARK, check=check)


def manifests(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The files of one environment: path relative to the repository → text; none where no rule holds."""
    policies = own_rules.policies(policy, environment)
    if not policies:
        return {}
    folder = f"{FOLDER}/{environment}"
    facts = {"command": _MARK, "folder": folder}
    header = filling.filled("repository/admission.yaml", policy.language, facts)
    return {
        f"{folder}/{name}": generated_files.manifest(header, objects)
        for name, objects in generated_files.kustomized({"rules.yaml": policies}).items()
    }
