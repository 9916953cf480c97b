"""What was deployed and is not there at all any more: a release that was uninstalled, an Application that was deleted.

Helm and Argo CD keep nothing of what is gone, so that it was there is read off the service's Lease, which every
deployment writes.
"""

from __future__ import annotations

from msgspec import structs

from hanbae import errors, subjects, workspaces
from hanbae.clusters import connections, leases
from hanbae.deploying import claiming, last_deployments
from hanbae.policy import documents, environments, naming
from hanbae.results import drifts, standings


def judged(
    policy: documents.Policy, entry: standings.Standing, lease: leases.State | None
) -> standings.Standing:
    """Where a service stands: one of which nothing is there was never deployed, unless its Lease says that it was.

    Args:
        policy: The policy.
        entry: Where it stands by its engine.
        lease: Its Lease; None for none.
    """
    engine = policy.environments[entry.environment].engine
    if entry.state != "absent" or (deployed := _deployed(entry, lease, engine)) is None:
        return entry
    gone = _drift(policy, entry.service, entry.environment)
    return structs.replace(
        entry, state="drifted", deployed=deployed, differing=(gone.object,), drifts=(gone,)
    )


async def of_service(
    space: workspaces.Workspace, workload: connections.Cluster, service: str, environment: str
) -> tuple[drifts.Drift, ...]:
    """What is gone of a service of which nothing is there; nothing where its last deployment did not succeed.

    Args:
        space: The workspace.
        workload: The cluster of the pods.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    try:
        lease = await claiming.lease(space.policy, workload, service, environment)
    except errors.Forbidden:
        return ()
    unknown = standings.Standing(service, environment, "absent")
    return judged(space.policy, unknown, lease).drifts


def _deployed(entry: standings.Standing, lease: leases.State | None, engine: str) -> str | None:
    """The commit that an engine has deployed last; None where it did not succeed, or another one has."""
    if lease is None or lease.marks.get("engine") != engine:
        return None
    claim = last_deployments.claim_of(lease, entry.service, entry.environment)
    return claim.revision if claim and claim.outcome == "succeeded" else None


def _drift(policy: documents.Policy, service: str, environment: str) -> drifts.Drift:
    """What is gone where nothing of a service is there: what its engine keeps of it."""
    if environments.by_helm(policy, environment):
        kind, namespace = drifts.RELEASE, naming.namespace(policy, service, environment)
        name = naming.release(policy, service, environment)
    else:
        kind, namespace = drifts.APPLICATION, policy.argocd.namespace
        name = naming.application(policy, service, environment)
    return drifts.Drift(subjects.Ref(kind, namespace, name), is_gone=True)
