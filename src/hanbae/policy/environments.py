"""Which environments there are, and in which cluster the two halves of each are.

An environment on Kubernetes has Argo CD in one cluster (its *control* cluster) and its pods in one (its *workload*
cluster); they are the same unless the policy says otherwise.
Whoever needs to know (claims, shared hosts, sealing, rights, Applications, connections) asks here, because a default
that is applied in one place and forgotten in another deploys to one cluster and seals for a different one.

Clusters are told apart by their kubeconfig contexts, the only name that the policy has for them.
``None`` stands for the context that happens to be current.
"""

from __future__ import annotations

from collections.abc import Iterable

from hanbae import errors, subjects
from hanbae.policy import documents


def control(environment: documents.Environment) -> str | None:
    """The context of Argo CD's cluster."""
    return environment.control


def workload(environment: documents.Environment) -> str | None:
    """The context of the pods' cluster: that of Argo CD unless the policy names another."""
    return environment.workload or environment.control


def is_hub(environment: documents.Environment) -> bool:
    """Whether Argo CD deploys into another cluster than its own."""
    return workload(environment) != control(environment)


def share_pods_cluster(first: documents.Environment, second: documents.Environment) -> bool | None:
    """Whether the pods of two environments are in one cluster.

    Returns:
        None where that is not known: one of them is wherever the current context leads.
    """
    contexts = {workload(first), workload(second)}
    # Two that name no context are both where the current one leads, and so together.
    if len(contexts) == 1:
        return True
    return None if None in contexts else False


def on_kubernetes(policy: documents.Policy) -> tuple[str, ...]:
    """The environments that run on Kubernetes, in the order of promotion."""
    return tuple(
        name
        for name, environment in policy.environments.items()
        if environment.platform == "kubernetes"
    )


def is_last(policy: documents.Policy, name: str) -> bool:
    """Whether an environment is the last of several in the order of promotion: the one that must not be local."""
    names = on_kubernetes(policy)
    return len(names) > 1 and names[-1] == name


def by_helm(policy: documents.Policy, name: str) -> bool:
    """Whether Helm deploys an environment, without Argo CD."""
    return policy.environments[name].engine == "helm"


def is_automated(policy: documents.Policy, name: str) -> bool:
    """Whether Argo CD starts the syncs of an environment itself; Helm starts nothing."""
    settings = policy.environments[name]
    return settings.sync == "auto" and settings.engine == "argocd"


def deployed_by_argocd(policy: documents.Policy) -> tuple[str, ...]:
    """The environments that Argo CD deploys, in the order of promotion."""
    return tuple(
        name for name in on_kubernetes(policy) if policy.environments[name].engine == "argocd"
    )


def require(
    name: str, *policies: documents.Policy, place: subjects.Place | None = None
) -> documents.Environment:
    """An environment on Kubernetes, as a command line names it.

    Args:
        name: Its name.
        policies: Where to look for it; the first that has it counts. Several where revisions are compared.
        place: Where the policy names the environment's platform.

    Raises:
        errors.WrongUse: There is none of this name, or it runs on something else.
    """
    for policy in policies:
        if name in on_kubernetes(policy):
            return policy.environments[name]
    for policy in policies:
        if name in policy.environments:
            platform = policy.environments[name].platform
            raise errors.WrongUse(
                "environment.other-platform", place=place, environment=name, platform=platform
            )
    names = dict.fromkeys(name for policy in policies for name in on_kubernetes(policy))
    if not names:
        raise errors.WrongUse("environment.none", environment=name)
    raise errors.WrongUse("environment.unknown", environment=name, known=", ".join(names))


def chosen(policy: documents.Policy, names: Iterable[str]) -> tuple[str, ...]:
    """The environments on Kubernetes, or those of them that a command line names.

    Raises:
        errors.WrongUse: One of them does not exist, or is not on Kubernetes.
    """
    named = tuple(names)
    for name in named:
        require(name, policy)
    return named or on_kubernetes(policy)


def chosen_for_argocd(policy: documents.Policy, names: Iterable[str]) -> tuple[str, ...]:
    """The environments that Argo CD deploys, or those of them that a command line names.

    Raises:
        errors.WrongUse: One of them does not exist, is not on Kubernetes, or Argo CD does not deploy it.
    """
    deployed = deployed_by_argocd(policy)
    selected = tuple(names)
    for name in selected:
        require(name, policy)
        if name not in deployed:
            raise errors.WrongUse(
                "generate.not-an-environment", environment=name, known=", ".join(deployed) or "-"
            )
    return selected or deployed
