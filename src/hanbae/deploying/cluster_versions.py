"""What a workload cluster serves, as Argo CD passes it to Helm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from hanbae.apis import serving
from hanbae.clusters import connections, discovering, reading
from hanbae.policy import documents, environments


async def of_environments(
    policy: documents.Policy,
    names: Iterable[str],
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> dict[str, serving.Cluster]:
    """Environment → what its workload cluster serves; environments in one cluster ask it once.

    Args:
        policy: The policy.
        names: Environments on Kubernetes.
        context: kubeconfig context to use instead of each environment's own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.

    Raises:
        hanbae.errors.WrongUse: There is no such context.
        hanbae.errors.Unreachable: A cluster did not answer.
    """
    served: dict[str | None, serving.Cluster] = {}
    contexts = {name: context or environments.workload(policy.environments[name]) for name in names}
    for where in dict.fromkeys(contexts.values()):
        async with connections.connect(where, kubeconfig=kubeconfig) as cluster:
            served[where] = await read(cluster)
    return {name: served[where] for name, where in contexts.items()}


async def read(cluster: connections.Cluster) -> serving.Cluster:
    """The cluster's version and API versions.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    version, api_versions = await asyncio.gather(
        reading.version(cluster), discovering.api_versions(cluster)
    )
    return serving.Cluster(version, api_versions)
