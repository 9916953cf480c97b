"""The Leases of many applications at once: those of a namespace in one list, where that is permitted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from hanbae import errors
from hanbae.clusters import connections, leases
from hanbae.policy import documents, naming
from hanbae.streams import gathering

_AT_ONCE: Final = 8

ByService = dict[str, leases.State]
"""Service → its application's Lease."""


async def of_services(
    policy: documents.Policy,
    workload: connections.Cluster,
    services: Sequence[str],
    environment: str,
) -> ByService:
    """Service → its application's Lease, of those that have one.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer, or does not show them.
    """
    spaces = naming.spaces(policy, services, environment)
    by_namespace = await gathering.whole(
        _of_namespace(workload, name, service_names, environment)
        for name, service_names in spaces.items()
    )
    return {service: lease for namespace in by_namespace for service, lease in namespace.items()}


async def _of_namespace(
    workload: connections.Cluster, namespace: str, services: Sequence[str], environment: str
) -> dict[str, leases.State]:
    names = {service: naming.lease(service, environment) for service in services}
    try:
        by_name = {lease.name: lease for lease in await leases.every(workload, namespace)}
    except errors.Forbidden:
        by_name = await _by_name(workload, namespace, tuple(names.values()))
    return {service: by_name[name] for service, name in names.items() if name in by_name}


async def _by_name(
    workload: connections.Cluster, namespace: str, names: Sequence[str]
) -> dict[str, leases.State]:
    """The Leases of these names, one after the other: what is granted by name cannot be listed."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def read(name: str) -> leases.State | None:
        async with places:
            return await leases.read(workload, namespace, name)

    listed = await gathering.whole(map(read, names))
    return {lease.name: lease for lease in listed if lease is not None}
