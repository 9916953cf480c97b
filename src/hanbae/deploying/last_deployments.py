"""The last deployments of services by their applications' Leases: everybody's word, unlike one machine's history."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from hanbae import errors
from hanbae.clusters import connections, leases
from hanbae.deploying import claiming
from hanbae.planning import deployments
from hanbae.policy import documents
from hanbae.policy import environments as policy_environments
from hanbae.results import claims, events


async def of_services(
    policy: documents.Policy,
    services: Iterable[str],
    environments: Iterable[str],
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> tuple[claims.Claim, ...]:
    """The last deployment of each service in each environment; none where hanbae has not deployed it.

    Args:
        policy: The policy.
        services: The services.
        environments: Environments on Kubernetes.
        context: kubeconfig context to use instead of each environment's own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.

    Raises:
        hanbae.errors.WrongUse: No such context.
        hanbae.errors.Unreachable: A cluster did not answer. Leases that may not be read are passed over.
    """
    names = tuple(services)
    last: list[claims.Claim] = []
    for environment in environments:
        where = context or policy_environments.workload(policy.environments[environment])
        async with connections.connect(where, kubeconfig=kubeconfig) as workload:
            for service in names:
                try:
                    lease = await claiming.lease(policy, workload, service, environment)
                except errors.Forbidden:
                    continue
                claim = lease and claim_of(lease, service, environment)
                if claim:
                    last.append(claim)
    return tuple(last)


def claim_of(lease: leases.State, service: str, environment: str) -> claims.Claim | None:
    """What a Lease says; None where nobody has deployed with it.

    The Lease is in a namespace that others may write to, so an outcome that there is none of counts as no word.
    """
    marks = lease.marks
    deployment, revision = marks.get("deployment", ""), marks.get("revision", "")
    if not deployment or not revision:
        return None
    outcome: events.Outcome | Literal[""] = next(
        (name for name in events.OUTCOMES if name == marks.get("outcome")), ""
    )
    proves = deployments.is_proof(claiming.stage(marks))
    return claims.Claim(
        deployment,
        service,
        environment,
        revision,
        outcome,
        has_migrated=outcome == "succeeded" or proves,
    )
