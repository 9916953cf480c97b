"""What the deployer may change in the objects that RBAC lets it write: admission policies in CEL.

Argo CD's Application has no status subresource, so "may start a sync" and "may make Argo CD deploy anything from
anywhere" are one and the same verb of RBAC.
These policies tell them apart, and apply to the deployer alone.
They hold even where somebody gives it a more generous Role: creation and deletion are refused here as well.

- **Application**: ``operation`` may be put where none is, in the one shape that hanbae writes, or taken back; the last
  record may be cleared, a running one told to end; a refresh may be asked for. Nothing else changes.
- **ApplicationSet**: a refresh may be asked for.
- **Job**: the proof of a database's migrations may be created and deleted.

Where Helm deploys there is no Argo CD to tell, and hooks are Jobs of any shape; there they say which Secrets may be
written: Helm's records.

What they cannot do: the commit of a sync may be any that Argo CD can fetch from the repository, because an API server
knows no branches (an AppProject can ask for signed commits); and who may read the logs of a namespace reads what its
pods print.

ValidatingAdmissionPolicy is in every Kubernetes from 1.30 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hanbae.argo import (
    application_rules,
    authorizing,
    generators,
    proof_rules,
    record_rules,
    rulings,
)
from hanbae.clusters import kinds
from hanbae.policy import documents, environments

Object = dict[str, Any]

_API: Final = "admissionregistration.k8s.io/v1"


def policies(
    policy: documents.Policy,
    environment: str,
    services: Sequence[authorizing.Service],
    *,
    clusters: Iterable[authorizing.Cluster] = ("control", "workload"),
    groups: Sequence[str] = (),
) -> list[Object]:
    """The admission policies, each with its binding.

    Args:
        policy: The policy.
        environment: Name of an environment on Kubernetes.
        services: The repository's services.
        clusters: What the cluster that they are for is; by default both, for an environment in one cluster.
        groups: Groups that deploy, beside the deployer; whoever is in one is held to the policies everywhere.
    """
    maker = _Maker(policy, environment, groups)
    if environments.by_helm(policy, environment):
        shared = record_rules.variables(policy, environment, services)
        return maker.policy(kinds.SECRET, shared, record_rules.secret())
    manifests: list[Object] = []
    if "control" in clusters:
        shared = application_rules.VARIABLES
        several = generators.has_second_source(policy, environment)
        opened = kinds.of_secrets(policy.secrets.provider)
        rules = application_rules.application(several=several, maker=opened)
        manifests += maker.policy(kinds.APPLICATION, shared, rules)
        manifests += maker.policy(kinds.APPLICATIONSET, {}, application_rules.application_set())
    if "workload" in clusters:
        shared = proof_rules.variables(policy, environment, services)
        manifests += maker.policy(kinds.JOB, shared, proof_rules.job())
    return manifests


class _Maker:
    """Makes policies that apply to the environment's deployer alone."""

    def __init__(self, policy: documents.Policy, environment: str, groups: Sequence[str]) -> None:
        self._environment = environment
        self._scope = authorizing.scope(policy, environment)
        user = rulings.literal(authorizing.username(policy, environment))
        tests = [f"request.userInfo.username == {user}"]
        tests += [f"{rulings.literal(group)} in request.userInfo.groups" for group in groups]
        self._who = " || ".join(tests)

    def policy(
        self, kind: kinds.Kind, variables: Mapping[str, str], rules: Iterable[rulings.Rule]
    ) -> list[Object]:
        name = f"hanbae-{kind.plural}-{self._scope}"
        metadata = authorizing.labelled(self._environment, name)
        rule = {
            "apiGroups": [kind.group],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": [kind.plural],
            # The default, without which applying the file again would count as a change.
            "scope": "*",
        }
        shared = [{"name": key, "expression": text} for key, text in variables.items()]
        spec: Object = {
            # What cannot be worked out, such as an expression with an error, is refused.
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "is-the-deployer", "expression": self._who}],
            **({"variables": shared} if shared else {}),
            "validations": [
                {"message": rule.message, "reason": "Forbidden", "expression": rule.expression}
                for rule in rules
            ],
        }
        binding = {"policyName": name, "validationActions": ["Deny"]}
        head = {"apiVersion": _API, "kind": "ValidatingAdmissionPolicy", "metadata": metadata}
        return [
            {**head, "spec": spec},
            {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
        ]
