"""Who may ask the Sealed Secrets controller, instead of everybody who may log in.

The controller answers whoever reaches it, and its chart binds the right to ask it through the API server's proxy to
``system:authenticated``; ``rbac.serviceProxier.bind: false`` leaves that out.
What is bound here is a group, and what else can reach the controller's port is cut off: the API server's proxy comes
from the node itself or, in managed clusters, from an agent in ``kube-system``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hanbae.argo import authorizing
from hanbae.clusters import kinds
from hanbae.policy import documents

_PORT: Final = 8080
_SELECTORS: Final = (
    ("chart", {"app.kubernetes.io/name": "sealed-secrets"}),
    ("manifest", {"name": "sealed-secrets-controller"}),
)
"""How the controller's pods are labelled by its chart, and by its plain manifest."""


def objects(
    policy: documents.Policy, environment: str, groups: Sequence[str]
) -> list[dict[str, Any]]:
    """A Role with its binding, and NetworkPolicies, for the namespace of an environment's controller.

    Args:
        policy: The policy.
        environment: The environment.
        groups: Groups of the cluster's users that may seal, verify and seal anew.
    """
    where, _, controller = policy.secrets.controller.partition("/")
    name = f"hanbae-sealers-{authorizing.scope(policy, environment)}"
    # kubeseal names no port where the Service has none.
    proxied = [kinds.proxied(controller, port) for port in (*authorizing.CERTIFICATE_PORTS, "")]
    rules = [
        {
            "apiGroups": [""],
            "resources": ["services"],
            "resourceNames": [controller],
            "verbs": ["get"],
        },
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": [*proxied, controller],
            "verbs": ["create", "get"],
        },
    ]
    metadata = authorizing.labelled(environment, name, where)
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata}
    reference = {"apiGroup": api, "kind": "Role", "name": name}
    subjects = [{"apiGroup": api, "kind": "Group", "name": group} for group in groups]
    return [
        {**role, "rules": rules},
        {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": subjects},
        *(
            _closed(authorizing.labelled(environment, f"{name}-{origin}", where), pods)
            for origin, pods in _SELECTORS
        ),
    ]


def _closed(metadata: dict[str, Any], pods: dict[str, str]) -> dict[str, Any]:
    """Nothing but what comes from the node, or from ``kube-system``, reaches the port; metrics stay open."""
    system = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": system}],
                    "ports": [{"port": _PORT, "protocol": "TCP"}],
                },
                {"ports": [{"port": 8081, "protocol": "TCP"}]},
            ],
        },
    }
