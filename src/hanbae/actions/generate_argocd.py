"""Writes what Argo CD is told into ``k8s/argocd/<environment>``: generated, never edited, checked for freshness."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hanbae.argo import generating
from hanbae.charts import filling
from hanbae.policy import documents
from hanbae.policy.environments import chosen_for_argocd
from hanbae.repository import generated_files, services
from hanbae.results import files

FOLDER: Final = "k8s/argocd"
_MARK: Final = "hanbae generate argocd"


def generate_argocd(
    directory: Path,
    *,
    environments: Collection[str] = (),
    check: bool = False,
    year: int | None = None,
) -> tuple[files.FileChange, ...]:
    """Write an AppProject, an ApplicationSet and a kustomization for each environment that Argo CD deploys.

    Files of environments that are no longer in the policy are deleted, if hanbae wrote them.

    Args:
        directory: The repository or a folder in it.
        environments: Only these; all by default.
        check: Touch nothing, and call ``stale`` what is not fresh.
        year: The calendar year whose frozen days Argo CD is told; this one by default.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that Argo CD does not deploy.
        errors.FileFault: The policy has a fault.
    """
    loaded = services.opened(directory)
    files: dict[str, str] = {}
    year = datetime.now(UTC).year if year is None else year
    for name in chosen_for_argocd(loaded.policy, environments):
        files |= manifests(loaded.policy, name, year)
    # Where some environments are named, files that nothing asks for any more are looked for in
    # theirs alone: the other environments' files are not among `files`.
    folders = [f"{FOLDER}/{name}" for name in environments] or [FOLDER]
    return generated_files.write(loaded.root, files, folders=folders, mark=_MARK, check=check)


def manifests(
    policy: documents.Policy, environment: str, year: int | None = None
) -> dict[str, str]:
    """The files of one environment: path relative to the repository → text.

    Args:
        policy: The policy.
        environment: The environment.
        year: The calendar year whose frozen days are told; None for no days.
    """
    folder = f"{FOLDER}/{environment}"
    objects = {
        "project.yaml": [generating.project(policy, environment, year)],
        "applicationset.yaml": [generating.application_set(policy, environment)],
    }
    facts = {"environment": environment, "folder": folder}
    header = filling.filled("repository/generated.yaml", policy.language, facts)
    return {
        f"{folder}/{name}": generated_files.manifest(header, documents_)
        for name, documents_ in generated_files.kustomized(objects).items()
    }
