"""Holds on the Lease of an application, where the whole team's deployments find them.

The Lease is what each deployment takes first, so a hold needs no right that deploying does not need, and it cannot be
overlooked by somebody whose clone or history does not know of it. What stands there may be anybody's: what cannot be
read holds all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from hanbae import errors, excerpts, foreign_json, workspaces
from hanbae.clusters import connections, leases
from hanbae.deploying import lease_lists
from hanbae.policy import documents, naming
from hanbae.results import holds

MARK: Final = "holds"
"""The mark of the Lease that has them."""
MOST: Final = 20
"""Holds of one service in one environment."""
_SHORT: Final = 12
_LONGEST: Final = 400
# Without a revision it holds every commit.
_UNREADABLE: Final = holds.Hold("-", "-", "", "-")


def of(marks: Mapping[str, str]) -> tuple[holds.Hold, ...]:
    """The holds among a Lease's marks."""
    text = marks.get(MARK, "")
    if not text:
        return ()
    try:
        return foreign_json.decode(text, tuple[holds.Hold, ...])
    except foreign_json.Fault:
        return (_UNREADABLE,)


def refuse(marks: Mapping[str, str], service: str, environment: str, revision: str) -> None:
    """Refuse a commit that is held.

    Args:
        marks: The marks of the application's Lease.
        service: The service.
        environment: The environment.
        revision: The commit that is to be deployed, in full.

    Raises:
        hanbae.errors.Refused: It is held.
    """
    for hold in of(marks):
        if hold.revision in {"", revision}:
            text_id = "hold.refused-revision" if hold.revision else "hold.refused"
            raise errors.Refused(text_id, place=None, **facts(hold, service, environment))


def facts(hold: holds.Hold, service: str, environment: str) -> dict[str, str]:
    """For sentences about a hold."""
    return {
        "service": service,
        "environment": environment,
        "why": excerpts.one_line(hold.why, _LONGEST),
        "by": excerpts.one_line(hold.by, _LONGEST),
        "since": hold.at[:_LONGEST].partition(".")[0].replace("T", " ").removesuffix("Z"),
        "revision": hold.revision[:_SHORT],
    }


async def read(
    policy: documents.Policy, workload: connections.Cluster, service: str, environment: str
) -> tuple[holds.Hold, ...]:
    """The holds of a service in an environment.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer, or does not show them.
    """
    lease = await leases.read(workload, *_lease(policy, service, environment))
    return of(lease.marks) if lease is not None else ()


async def listed(
    policy: documents.Policy,
    workload: connections.Cluster,
    services: Sequence[str],
    environment: str,
) -> list[holds.HeldService]:
    """The services of an environment that are held.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer, or does not show them.
    """
    return held(await lease_lists.of_services(policy, workload, services, environment), environment)


def held(by_service: Mapping[str, leases.State], environment: str) -> list[holds.HeldService]:
    """What is held among the applications' Leases of an environment."""
    return [
        holds.HeldService(service, environment, entries)
        for service, lease in by_service.items()
        if (entries := of(lease.marks))
    ]


async def change(
    space: workspaces.Workspace,
    workload: connections.Cluster,
    service: str,
    environment: str,
    changed: Callable[[tuple[holds.Hold, ...]], tuple[holds.Hold, ...]],
) -> tuple[holds.Hold, ...]:
    """Change the holds of a service in an environment.

    Args:
        space: The workspace.
        workload: The workload cluster.
        service: The service.
        environment: The environment.
        changed: The holds that there are → those that there are to be.

    Returns:
        The holds that there are now.

    Raises:
        hanbae.errors.Refused: The namespace is not there.
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us.
    """

    def marks(before: Mapping[str, str]) -> dict[str, str]:
        now = changed(of(before))
        return {MARK: msgspec.json.encode(now).decode() if now else ""}

    lease = await leases.amend(workload, *_lease(space.policy, service, environment), marks)
    return of(lease.marks)


def _lease(policy: documents.Policy, service: str, environment: str) -> tuple[str, str]:
    """Namespace and name of the application's Lease."""
    return naming.namespace(policy, service, environment), naming.lease(service, environment)
