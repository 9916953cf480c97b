"""What a workload cluster serves, as Argo CD passes it to Helm."""

from __future__ import annotations

import asyncio

from hanbae.clusters import connections, discovering, reading
from hanbae.planning import releases


async def read(cluster: connections.Cluster) -> releases.Cluster:
    """The cluster's version and API versions.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    version, api_versions = await asyncio.gather(
        reading.version(cluster), discovering.api_versions(cluster)
    )
    return releases.Cluster(version, api_versions)
