"""The files with which a repository begins: the policy, and what belongs on its workload clusters.

Pure text: who calls it decides what happens to files that are there already.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Final

from hanbae.charts import filling
from hanbae.policy import documents, environments, naming

BASE: Final = "k8s/base"
"""Folder of the Kustomize base, relative to the repository."""

_ROWS: Final = (
    ("dev", "develop", "auto", "values-dev.yaml"),
    ("staging", "release", "manual", "values-staging.yaml"),
    ("production", "main", "manual", "values-prod.yaml"),
)
"""The policy document's table: environment, branch, sync mode, and the values file of its chart layout."""


def policy_file(repository: str, *, language: str = "en", one_cluster: bool = False) -> str:
    """The text of a new ``hanbae.yaml``: the policy document's own rows.

    Args:
        repository: URL of the repository as Argo CD fetches it.
        language: ``en`` or ``ko``.
        one_cluster: Whether all environments share a cluster, so that their namespaces need suffixes.
    """
    environments = []
    for name, branch, sync, values in _ROWS:
        where = f"namespace_suffix: -{name}" if one_cluster else f"control: {name}"
        environments.append(
            f"  {name}:\n    platform: kubernetes\n    trigger: push\n    branch: {branch}\n"
            f"    sync: {sync}\n    values: {values}\n    overlay: k8s/overlays/{name}\n    {where}"
        )
    comment = "one-cluster.yaml" if one_cluster else "clusters.yaml"
    facts = {
        "language": language,
        "repository": json.dumps(repository),
        "environments": "\n".join(environments),
        "clusters_comment": filling.filled(f"repository/{comment}", language, {}),
    }
    return filling.filled("repository/hanbae.yaml", language, facts)


def cluster_files(policy: documents.Policy) -> dict[str, str]:
    """What belongs on the workload clusters: ``k8s/base`` and an overlay per environment.

    Only built-in kinds: ``kubectl apply -k`` must succeed on a cluster without any custom resource definition.

    Returns:
        Path relative to the repository → text.
    """
    language = policy.language
    spaces = dict(policy.namespaces)
    spaces.setdefault(policy.services.namespace, documents.Namespace())
    used = [n for n, s in spaces.items() if s.services or n == policy.services.namespace]
    files = {
        f"{BASE}/kustomization.yaml": filling.filled("repository/base.yaml", language, {}),
        f"{BASE}/namespaces.yaml": "---\n".join(
            filling.filled("repository/namespace.yaml", language, _space(name, space))
            for name, space in spaces.items()
        ),
        f"{BASE}/limits.yaml": "---\n".join(
            filling.filled("repository/limits.yaml", language, {"namespace": name}) for name in used
        ),
    }
    for name in environments.on_kubernetes(policy):
        environment = policy.environments[name]
        if environment.overlay:
            facts = {
                "environment": name,
                "overlay": environment.overlay,
                "base": os.path.relpath(BASE, environment.overlay),
                "patches": _patches(policy, name, list(spaces), used),
            }
            text = filling.filled("repository/overlay.yaml", language, facts)
            files[f"{environment.overlay}/kustomization.yaml"] = text
    return files


def ignored(policy: documents.Policy) -> str:
    """The line of ``.gitignore`` that keeps a developer's own values out of git."""
    return f"{policy.services.path}/values.yaml"


def _space(name: str, space: documents.Namespace) -> dict[str, str]:
    # What is not enforced is still warned of, one level stricter.
    warn = "baseline" if space.pod_security == "privileged" else "restricted"
    purpose = json.dumps(", ".join(space.purpose), ensure_ascii=False)
    return {"namespace": name, "purpose": purpose, "enforce": space.pod_security, "warn": warn}


def _patches(
    policy: documents.Policy, environment: str, spaces: Sequence[str], used: Sequence[str]
) -> str:
    """The patches that rename namespaces; Kustomize's own ``nameSuffix`` leaves Namespaces alone."""
    if not policy.environments[environment].namespace_suffix:
        return ""
    targets = [(f"kind: Namespace, name: {name}", "/metadata/name", name) for name in spaces]
    targets += [(f"namespace: {name}", "/metadata/namespace", name) for name in used]
    lines = ["patches:"]
    for target, path, name in targets:
        renamed = naming.suffixed(policy, name, environment)
        operation = json.dumps([{"op": "replace", "path": path, "value": renamed}])
        lines += [f"  - target: {{{target}}}", f"    patch: '{operation}'"]
    return "\n".join(lines)
