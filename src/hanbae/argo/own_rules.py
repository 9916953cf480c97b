"""The team's own rules as admission policies, so that the cluster holds to what ``hanbae check`` says.

Each rule becomes a ValidatingAdmissionPolicy over the namespaces of the environment, with the same expression.
An error is refused; a warning or a notice is told to whoever applies the object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hanbae.argo import generating
from hanbae.clusters import kinds
from hanbae.policy import documents, labels, naming

Object = dict[str, Any]

_API: Final = "admissionregistration.k8s.io/v1"
_NAMESPACE: Final = "kubernetes.io/metadata.name"


def policies(policy: documents.Policy, environment: str) -> list[Object]:
    """The admission policies of an environment, each with its binding.

    Args:
        policy: The policy.
        environment: Name of an environment on Kubernetes.
    """
    manifests: list[Object] = []
    for rule in policy.own_rules.values():
        if not rule.environments or environment in rule.environments:
            manifests += _policy(policy, rule, environment)
    return manifests


def _policy(policy: documents.Policy, rule: documents.OwnRule, environment: str) -> list[Object]:
    name = f"{naming.project(policy, environment)}-{rule.id}"
    own = {
        labels.MANAGED_BY: labels.HANBAE,
        labels.ENVIRONMENT: environment,
        labels.RULE: rule.id,
    }
    metadata = {"name": name, "labels": own}
    validation = {"expression": rule.expression, "message": rule.message, "reason": "Invalid"}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": list(_resources(rule)),
            "namespaceSelector": {
                "matchExpressions": [
                    {
                        # The API server sets this label itself, so nobody can take a namespace out
                        # by its labels.
                        "key": _NAMESPACE,
                        "operator": "In",
                        "values": generating.namespaces(policy, environment),
                    }
                ]
            },
        },
        "validations": [validation],
    }
    actions = ["Deny"] if rule.severity == "error" else ["Warn", "Audit"]
    return [
        {
            "apiVersion": _API,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": metadata,
            "spec": spec,
        },
        {
            "apiVersion": _API,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {"policyName": name, "validationActions": actions},
        },
    ]


def _resources(rule: documents.OwnRule) -> Iterable[Object]:
    by_group: dict[str, list[str]] = {}
    for kind in rule.kinds:
        group, _, name = kind.rpartition("/")
        by_group.setdefault(group, []).append(kinds.plural(name))
    for group, resources in by_group.items():
        yield {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": sorted(set(resources)),
            # The default, without which applying the file again would count as a change.
            "scope": "*",
        }
