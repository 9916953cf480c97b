"""Writes what Argo CD is told into ``k8s/argocd/<environment>``: generated, never edited, checked for freshness."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from hanbae import errors
from hanbae.actions import placing, regenerating
from hanbae.argo import generating
from hanbae.charts import filling
from hanbae.policy import documents, loading
from hanbae.results import files

FOLDER: Final = "k8s/argocd"
_MARK: Final = "hanbae generate argocd"


def generate_argocd(
    directory: Path, *, environments: Collection[str] = (), check: bool = False
) -> tuple[files.FileChange, ...]:
    """Write an AppProject, an ApplicationSet and a kustomization for each environment that Argo CD deploys.

    Files of environments that are no longer in the policy are deleted, if hanbae wrote them.

    Args:
        directory: The repository or a folder in it.
        environments: Only these; all by default.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that Argo CD does not deploy.
        errors.FileFault: The policy has a fault.
    """
    loaded = loading.load(loading.find(directory))
    deployed = _deployed(loaded.policy)
    for name in environments:
        if name not in deployed:
            known = ", ".join(deployed)
            raise errors.WrongUse("generate.not-an-environment", environment=name, known=known)
    changes: tuple[files.FileChange, ...] = ()
    for name in environments or deployed:
        contents = manifests(loaded.policy, name)
        changes += placing.place(loaded.root, contents, overwrite=True, check=check)
    if not environments:
        wanted = {path for name in deployed for path in manifests(loaded.policy, name)}
        for path in sorted(regenerating.present(loaded.root, FOLDER, _MARK) - wanted):
            changes += (placing.remove(loaded.root, path, check=check),)
    return changes


def manifests(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The files of one environment: path relative to the repository → text."""
    folder = f"{FOLDER}/{environment}"
    things = {
        "project.yaml": generating.project(policy, environment),
        "applicationset.yaml": generating.application_set(policy, environment),
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(things),
    }
    facts = {"environment": environment, "folder": folder}
    header = filling.filled("repository/generated.yaml", policy.language, facts)
    return {
        f"{folder}/{name}": regenerating.manifest(header, [thing])
        for name, thing in {"kustomization.yaml": kustomization, **things}.items()
    }


def _deployed(policy: documents.Policy) -> list[str]:
    return [
        name
        for name, environment in policy.environments.items()
        if environment.platform == "kubernetes" and environment.engine == "argocd"
    ]
