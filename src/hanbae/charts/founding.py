"""The files with which a repository begins: the policy, and what belongs on its workload clusters.

Pure text: who calls it decides what happens to files that are there already.
"""

from __future__ import annotations

import json
import os
from typing import Final

from hanbae.charts import filling
from hanbae.policy import documents, environments, naming

BASE: Final = "k8s/base"
"""Folder of the Kustomize base, relative to the repository."""

NAMESPACES: Final = f"{BASE}/namespaces.yaml"
"""The manifests of the namespaces."""

LIMITS: Final = f"{BASE}/limits.yaml"
"""The manifests of what each namespace of services may take."""

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
    files = {
        f"{BASE}/kustomization.yaml": filling.filled("repository/base.yaml", language, {}),
        NAMESPACES: "---\n".join(namespace_text(policy, name) for name in spaces(policy)),
        LIMITS: "---\n".join(limits_text(policy, name) for name in limited(policy)),
    }
    for name in environments.on_kubernetes(policy):
        overlay = policy.environments[name].overlay
        if overlay:
            files[f"{overlay}/kustomization.yaml"] = overlay_text(policy, name, overlay)
    return files


def spaces(policy: documents.Policy) -> dict[str, documents.Namespace]:
    """The namespaces of a policy, without suffix: those that it lists, and that of its services."""
    listed = dict(policy.namespaces)
    if "{" not in policy.services.namespace:  # those of a template are each service's own
        listed.setdefault(policy.services.namespace, documents.Namespace())
    return listed


def limited(policy: documents.Policy) -> list[str]:
    """The namespaces in which services live, without suffix: each gets limits."""
    listed = spaces(policy).items()
    return [name for name, space in listed if space.services or name == policy.services.namespace]


def namespace_text(policy: documents.Policy, name: str) -> str:
    """The manifest of a namespace."""
    facts = _space(name, spaces(policy)[name])
    return filling.filled("repository/namespace.yaml", policy.language, facts)


def limits_text(policy: documents.Policy, name: str) -> str:
    """The manifests of a namespace's ResourceQuota and LimitRange."""
    return filling.filled("repository/limits.yaml", policy.language, {"namespace": name})


def overlay_text(policy: documents.Policy, environment: str, overlay: str) -> str:
    """The kustomization of an environment."""
    patches = []
    for target, operation in renamings(policy, environment).items():
        patches += [f"  - {target}", f"    {operation}"]
    facts = {
        "environment": environment,
        "overlay": overlay,
        "base": os.path.relpath(BASE, overlay),
        "patches": "\n".join(["patches:", *patches]) if patches else "",
    }
    return filling.filled("repository/overlay.yaml", policy.language, facts)


def renamings(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The patches that rename namespaces; Kustomize's own ``nameSuffix`` leaves Namespaces alone.

    Returns:
        Line of the target → line of the patch, as they stand in a kustomization; none without a suffix.
    """
    if not policy.environments[environment].namespace_suffix:
        return {}
    targets = [
        (f"kind: Namespace, name: {name}", "/metadata/name", name) for name in spaces(policy)
    ]
    targets += [(f"namespace: {name}", "/metadata/namespace", name) for name in limited(policy)]
    lines = {}
    for target, path, name in targets:
        renamed = naming.suffixed(policy, name, environment)
        operation = json.dumps([{"op": "replace", "path": path, "value": renamed}])
        lines[f"target: {{{target}}}"] = f"patch: '{operation}'"
    return lines


def ignored(policy: documents.Policy) -> str:
    """The lines of ``.gitignore`` that keep a developer's own values out of git."""
    return "\n".join(f"{path}/values.yaml" for path in policy.services.paths)


def _space(name: str, space: documents.Namespace) -> dict[str, str]:
    # What is not enforced is still warned of, one level stricter.
    warn = "baseline" if space.pod_security == "privileged" else "restricted"
    purpose = json.dumps(", ".join(space.purpose), ensure_ascii=False)
    return {"namespace": name, "purpose": purpose, "enforce": space.pod_security, "warn": warn}
