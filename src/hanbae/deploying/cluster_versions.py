"""What a workload cluster serves, as Argo CD passes it to Helm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from hanbae import errors, wording
from hanbae.apis import serving
from hanbae.clusters import connections, discovering, reading
from hanbae.policy import documents, environments


async def of_environments(
    policy: documents.Policy,
    names: Iterable[str],
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> tuple[dict[str, serving.Cluster], dict[str, wording.Text]]:
    """Environment → what its workload cluster serves, and why of the others it is not known.

    Environments in one cluster ask it once. A pipeline need not reach the clusters of the pods: Argo CD's may be all
    that it has a context of.

    Args:
        policy: The policy.
        names: Environments on Kubernetes.
        context: kubeconfig context to use instead of each environment's own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.

    Raises:
        hanbae.errors.WrongUse: There is no such context as the one that is to be used.
    """
    contexts = {name: context or environments.workload(policy.environments[name]) for name in names}
    answers: dict[str | None, serving.Cluster | wording.Text] = {}
    for where in dict.fromkeys(contexts.values()):
        try:
            async with connections.connect(where, kubeconfig=kubeconfig) as cluster:
                answers[where] = await read(cluster)
        except (errors.Unreachable, errors.WrongUse) as error:
            if context is not None and isinstance(error, errors.WrongUse):
                raise
            answers[where] = error.text
    served: dict[str, serving.Cluster] = {}
    unasked: dict[str, wording.Text] = {}
    for name, where in contexts.items():
        answer = answers[where]
        if isinstance(answer, serving.Cluster):
            served[name] = answer
        else:
            unasked[name] = answer
    return served, unasked


async def read(cluster: connections.Cluster) -> serving.Cluster:
    """The cluster's version and API versions.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    version, api_versions = await asyncio.gather(
        reading.version(cluster), discovering.api_versions(cluster)
    )
    return serving.Cluster(version, api_versions)
